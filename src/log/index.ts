export * from './change-log.ts';
export { type EmbeddedLogOptions, openEmbeddedLog } from './embedded/index.ts';
export { BlobMismatchError, LogClosedError, LogInUseError, LogRefusedError } from './errors.ts';
export {
  type MemoryCall,
  type MemoryFault,
  type MemoryHandle,
  type MemoryHandleOptions,
  type MemoryLog,
  memoryLog,
} from './memory.ts';
export {
  type LogServer,
  openWebSocketLog,
  type ServeLogOptions,
  serveLog,
  type WebSocketLogOptions,
} from './websocket/index.ts';
