export { backupName, bodiesOfSnapshot, contentsOfSnapshot } from './backup.ts';
export type { BodySource, ContentSource } from './contents.ts';
export { HistoryTrimmedError, RevertConflictError } from './errors.ts';
export { type Backup, History, type HistoryPorts, type OtherState } from './history.ts';
export { parseRef } from './refs.ts';
export { isSecretFile, maskSecrets } from './secrets.ts';
export {
  type ChangeDetails,
  type ChangeEntry,
  type ChangeFilter,
  type ChangeList,
  type ChangeRef,
  type Conflict,
  type FileChange,
  LIST_MAX,
  type ListOptions,
  type Reverted,
  type RevertRequest,
  type RevertTarget,
  type Step,
} from './types.ts';
