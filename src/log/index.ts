export { bytesSource } from './blob-source.ts';
export * from './broker/index.ts';
export * from './change-log.ts';
export { type CopyOptions, type CopyProgress, type CopyResult, copyLog } from './copy.ts';
export * from './discovery/index.ts';
export { type EmbeddedLogOptions, isLogFolder, openEmbeddedLog } from './embedded/index.ts';
export { LogRefusedError } from './errors.ts';
export {
  type MemoryCall,
  type MemoryFault,
  type MemoryHandle,
  type MemoryHandleOptions,
  type MemoryLog,
  memoryLog,
} from './memory.ts';
export { isNatsUrl, type NatsLogOptions, openNatsLog } from './nats/index.ts';
export { isPostgresUrl, openPostgresLog, type PostgresLogOptions } from './postgres/index.ts';
export {
  DEFAULT_TOPIC,
  isStompUrl,
  openStompLog,
  parseStompUrl,
  type StompLogOptions,
  saysStomp,
} from './stomp/index.ts';
export {
  CHANNEL_PROTOCOL,
  type ClusterSecrets,
  DEFAULT_GROUP,
  GROUP_CHARACTERS_MAX,
  isName,
  type LogFinder,
  type LogServer,
  openWebSocketLog,
  PEER_TLS_ENDED,
  type ServeLogOptions,
  serveLog,
  type TlsIdentity,
  type WebSocketLogOptions,
} from './websocket/index.ts';
