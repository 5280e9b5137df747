import { type Change, nameOf, type Touched, type TreePath, type TreeReader } from '../../tree/index.ts';
import { type PastState, run } from './states.ts';
import type { FileChange, FileVersion } from './types.ts';

/** The tree around one change. */
export interface Around {
  readonly before: TreeReader;
  readonly after: TreeReader;
  /** What the change did to each file, in order; folders expanded. */
  readonly touched: readonly Touched[];
}

/**
 * @param state    before the record
 * @param earlier  changes of the same record, before this one
 */
export function around(state: PastState, change: Change, earlier: readonly Change[]): Around {
  const before = state.tree.fork();
  for (const { operations } of earlier) for (const operation of operations) run(before, operation);
  const after = before.fork();
  for (const operation of change.operations) run(after, operation);
  return { before, after, touched: after.touched() };
}

/** What came of the files. */
export function netChanges({ before, after, touched }: Around): readonly FileChange[] {
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

/**
 * How one tree differs from another, at or below a path. Files that only lie elsewhere are shown as moved.
 *
 * @param among  where to look, when that is known. Default: everywhere
 */
export function differences(
  before: TreeReader,
  after: TreeReader,
  path: TreePath | '' = '',
  among?: Iterable<TreePath>,
): readonly FileChange[] {
  const paths = new Set<TreePath>(among);
  if (among === undefined) {
    for (const [file, { hash }] of before.walk(path)) if (after.stat(file)?.hash !== hash) paths.add(file);
    for (const [file] of after.walk(path)) if (before.stat(file) === undefined) paths.add(file);
  }
  const gone = new Map<string, TreePath[]>();
  const sorted = [...paths].sort();
  for (const file of sorted) {
    const old = before.stat(file);
    if (old === undefined || after.stat(file) !== undefined) continue;
    const same = gone.get(old.hash);
    if (same === undefined) gone.set(old.hash, [file]);
    else same.push(file);
  }
  const origins = new Map<TreePath, TreePath>();
  for (const file of sorted) {
    const now = after.stat(file);
    if (now === undefined || before.stat(file) !== undefined) continue;
    const candidates = gone.get(now.hash);
    if (candidates === undefined) continue;
    // Of several with the same bytes, the one of the same name: it is the one that was moved along with its folder.
    const same = candidates.findIndex((from) => nameOf(from) === nameOf(file));
    const [from] = candidates.splice(Math.max(0, same), 1);
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

export function pathsOf(touched: Touched): readonly TreePath[] {
  return touched.kind === 'moved' ? [touched.from, touched.to] : [touched.path];
}
