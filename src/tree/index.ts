export { asContentHash, contentHash, EMPTY_DIGEST } from './digest.ts';
export { TreeDraft } from './draft.ts';
export type { Touched } from './folder.ts';
export { isReplicated, isWithin, joinPath, nameOf, PathError, parentOf, treePath } from './path.ts';
export {
  CorruptRecordError,
  decodeRecord,
  encodeRecord,
  NewerFormatError,
  RECORD_FORMAT,
  type TreeRecord,
} from './record.ts';
export { type FileStat, Tree, type TreeReader } from './tree.ts';
export * from './types.ts';
