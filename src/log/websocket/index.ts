export { RefusalError } from './admission.ts';
export type { TlsIdentity } from './certificates.ts';
export { CHANNEL_PROTOCOL, PEER_TLS_ENDED } from './certificates.ts';
export { type LogFinder, openWebSocketLog, type WebSocketLogOptions } from './client.ts';
export { type ClusterSecrets, DEFAULT_GROUP, GROUP_CHARACTERS_MAX, isName } from './handshake.ts';
export { Refusals } from './refusals.ts';
export { type GroupLogs, type LogConnection, type LogServer, type ServeLogOptions, serveLog } from './server.ts';
