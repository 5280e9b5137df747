export { asContentHash, contentHash, EMPTY_DIGEST } from './digest.ts';
export { TreeDraft } from './draft.ts';
export { type FileSystem, replaceFile } from './files.ts';
export type { Touched } from './folder.ts';
export { type MemoryFileSystem, memoryFileSystem } from './memory-files.ts';
export { nodeFileSystem } from './node-files.ts';
export { isReplicated, isWithin, joinPath, nameOf, PathError, parentOf, treePath } from './path.ts';
export {
  CorruptRecordError,
  decodeRecord,
  encodeRecord,
  NewerFormatError,
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
export { type Drift, type RestoreOptions, TreeStore, type TreeStoreOptions } from './store.ts';
export { type FileStat, Tree, type TreeReader } from './tree.ts';
export * from './types.ts';
