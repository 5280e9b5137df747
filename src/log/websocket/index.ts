export { openWebSocketLog, type WebSocketLogOptions } from './client.ts';
export { type LogServer, type ServeLogOptions, serveLog } from './server.ts';
