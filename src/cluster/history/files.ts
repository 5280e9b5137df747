import type { Change, FileOperation, Touched, TreePath, TreeReader } from '../../tree/index.ts';
import { run, type PastState } from './states.ts';
import type { FileChange, FileVersion } from './types.ts';

/** What a change did to each file, from the state before it. */
export function filesOf(before: PastState, change: Change, earlier: readonly Change[]): readonly FileChange[] {
  const base = before.tree.fork();
  for (const { operations } of earlier) for (const operation of operations) run(base, operation);
  const after = base.fork();
  for (const operation of change.operations) run(after, operation);
  return netChanges(base, after, after.touched());
}

/** @param touched  what led from one tree to the other, in order */
export function netChanges(before: TreeReader, after: TreeReader, touched: readonly Touched[]): readonly FileChange[] {
  const paths = new Set<TreePath>();
  /** Where a file that lies at the key came from. */
  const origins = new Map<TreePath, TreePath>();
  for (const step of touched) {
    if (step.kind === 'moved') {
      paths.add(step.from).add(step.to);
      origins.set(step.to, origins.get(step.from) ?? step.from);
      origins.delete(step.from);
    } else {
      paths.add(step.path);
      if (step.kind === 'deleted') origins.delete(step.path);
    }
  }
  for (const [to, from] of origins)
    if (from === to || before.stat(from) === undefined || after.stat(from) !== undefined) origins.delete(to);
  return collect(paths, origins, before, after);
}

/** How one tree differs from another, at or below a path. Files that only lie elsewhere are shown as moved. */
export function differences(before: TreeReader, after: TreeReader, path: TreePath | '' = ''): readonly FileChange[] {
  const paths = new Set<TreePath>();
  const gone = new Map<string, TreePath[]>();
  for (const [file, { hash }] of before.walk(path)) {
    const now = after.stat(file);
    if (now?.hash === hash) continue;
    paths.add(file);
    if (now === undefined) gone.set(hash, [...(gone.get(hash) ?? []), file]);
  }
  const origins = new Map<TreePath, TreePath>();
  for (const [file, { hash }] of after.walk(path)) {
    if (before.stat(file) !== undefined) continue;
    paths.add(file);
    const from = gone.get(hash)?.shift();
    if (from !== undefined) origins.set(file, from);
  }
  return collect(paths, origins, before, after);
}

function collect(
  paths: ReadonlySet<TreePath>,
  origins: ReadonlyMap<TreePath, TreePath>,
  before: TreeReader,
  after: TreeReader,
): readonly FileChange[] {
  const movedAway = new Set(origins.values());
  const files: FileChange[] = [];
  for (const path of [...paths].sort()) {
    const from = origins.get(path);
    const old = version(before, from ?? path);
    const now = version(after, path);
    if (from !== undefined && old !== undefined && now !== undefined)
      files.push({ kind: 'moved', path, from, before: old, after: now });
    else if (old === undefined && now !== undefined) files.push({ kind: 'added', path, after: now });
    else if (old !== undefined && now === undefined) {
      if (!movedAway.has(path)) files.push({ kind: 'deleted', path, before: old });
    } else if (old !== undefined && now !== undefined && old.hash !== now.hash)
      files.push({ kind: 'changed', path, before: old, after: now });
  }
  return files;
}

export function version(tree: TreeReader, path: TreePath): FileVersion | undefined {
  const stat = tree.stat(path);
  return stat && { hash: stat.hash, size: stat.size };
}

/** Paths that a step names. */
export function pathsOf(operation: FileOperation): readonly TreePath[] {
  return operation.kind === 'move' ? [operation.from, operation.to] : [operation.path];
}
