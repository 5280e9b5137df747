export { contentHash } from './digest.ts';
export { TreeDraft } from './draft.ts';
export { type FileSystem, replaceFile } from './files.ts';
export type { Touched } from './folder.ts';
export { type MemoryFileSystem, memoryFileSystem } from './memory-files.ts';
export { NewerFormatError } from './newer-format.ts';
export { nodeFileSystem } from './node-files.ts';
export { isReplicated, isWithin, joinPath, nameOf, PathError, parentOf, treePath } from './path.ts';
export { ReadOnlyStore, type ReadOnlyStoreOptions } from './read-only.ts';
export {
  CorruptRecordError,
  decodeRecord,
  encodeRecord,
  RECORD_FORMAT,
  type TreeRecord,
} from './record.ts';
export type { SkippedFile } from './scan.ts';
export {
  blobsOfSnapshot,
  listSnapshot,
  type OpenBlob,
  readSnapshot,
  type Snapshot,
  type SnapshotBlob,
  type SnapshotBlobSource,
  SnapshotError,
  type SnapshotFile,
  type SnapshotHeader,
  type SnapshotOptions,
  type WrittenSnapshot,
  writeSnapshot,
} from './snapshot.ts';
export type { OpenFrom, StagedBlob } from './staging.ts';
export { recordedLogId, StateFileError } from './state.ts';
export { TreeStore, type TreeStoreOptions } from './store.ts';
export type { Drift, RestoreOptions, Store } from './store-types.ts';
export { type FileStat, type OpenFile, Tree, type TreeReader } from './tree.ts';
export * from './types.ts';
