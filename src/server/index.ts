export { CONTEXT_PATH } from './base-url.ts';
export type { CorsOption } from './cors.ts';
export { type Door, openDoor, urlHost } from './door.ts';
export { type LoggerOptions, type LogLevel, openLogger } from './logger.ts';
export type { LayerSummary, NodeSummary, Overview } from './overview.ts';
export { type RunningServer, type ServerOptions, startServer } from './server.ts';
export type { DoorTls } from './tls.ts';
