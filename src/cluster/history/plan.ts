import { UserError } from '../../base/index.ts';
import type { CatalogView, Draft } from '../../catalog/index.ts';
import {
  type Change,
  type ContentHash,
  type FileOperation,
  isWithin,
  joinPath,
  type Position,
  parentOf,
  type Tree,
  TreeDraft,
  type TreePath,
  type TreeReader,
} from '../../tree/index.ts';
import type { StagedFile } from '../staging.ts';
import type { BodySource, ContentSource, Wanted } from './contents.ts';
import { differences, version } from './files.ts';
import type { Conflict, FileChange, FileVersion } from './types.ts';

/** Bytes that a plan holds in memory, the shortest files first; longer ones lie on the disk until the change is made. */
const MEMORY_BYTES_MAX = 32 * 1024 * 1024;
/** A file longer than this is not held in memory. */
const SHORT_BYTES_MAX = 1024 * 1024;

/** How files become what they were; computed on one state of the tree, good for every state in which `relied` is the same. */
export interface Plan {
  readonly operations: readonly PlannedOperation[];
  /** What becomes of the files. */
  readonly files: readonly FileChange[];
  /** Files that must still be as they were when this was planned. */
  readonly relied: ReadonlyMap<TreePath, ContentHash | undefined>;
  readonly whole?: Whole;
}

/** Everything at or below a path is to be as it is in `wanted`: nothing else may have been changed there meanwhile. */
export interface Whole {
  readonly path: TreePath | '';
  readonly wanted: TreeReader;
}

export type PlannedOperation =
  | Exclude<FileOperation, { kind: 'put' }>
  | { readonly kind: 'put'; readonly path: TreePath; readonly bytes: Uint8Array }
  | { readonly kind: 'put-staged'; readonly path: TreePath; readonly file: StagedFile };

/** Where the contents of a plan come from. */
export interface PlanSource {
  /** A position at which the files were there. */
  readonly at: Position;
  readonly contents: ContentSource;
  readonly bodies: BodySource;
  /** Files that are on the disk already; those that are staged for the plan go in here, and are to be released by the caller. */
  readonly staged: Map<ContentHash, StagedFile>;
  stage(body: AsyncIterable<Uint8Array>): Promise<StagedFile>;
}

/** What files are to be; undefined: not there. */
export type Target = ReadonlyMap<TreePath, FileVersion | undefined>;

/** A plan before the bytes are there. Computed in one synchronous stretch, for the tree moves on. */
export interface Sketch {
  readonly files: readonly FileChange[];
  readonly relied: ReadonlyMap<TreePath, ContentHash | undefined>;
  readonly operations: readonly FileOperation[];
  /** The tree as it would be. */
  readonly result: TreeReader;
}

/**
 * @param targetFrom  what files are to be, once the moves have been undone
 * @param moves  moves that led away from the target, the oldest first: undone as moves, so that a renamed folder of
 *   thousands of files does not become thousands of steps
 */
export function sketch(tree: Tree, targetFrom: (moved: TreeDraft) => Target, moves: readonly Move[]): Sketch {
  const draft = new TreeDraft(tree);
  for (const { from, to } of moves.toReversed()) {
    const isThere = draft.stat(to) !== undefined || draft.isFolder(to);
    const inWay = draft.stat(from) !== undefined || draft.isFolder(from);
    if (isThere && !inWay) draft.move(to, from);
  }
  const target = targetFrom(draft);
  // What is deleted first cannot be in the way of a folder.
  for (const [path, file] of target) if (file === undefined && draft.stat(path) !== undefined) draft.delete(path);
  for (const [path, file] of target)
    if (file !== undefined && draft.stat(path)?.hash !== file.hash) draft.put(path, { kind: 'blob', ...file });
  const relied = new Map<TreePath, ContentHash | undefined>();
  for (const path of target.keys()) relied.set(path, tree.stat(path)?.hash);
  for (const step of draft.touched())
    for (const path of step.kind === 'moved' ? [step.from, step.to] : [step.path])
      relied.set(path, tree.stat(path)?.hash);
  const files = differences(tree, draft, undefined, relied.keys());
  return { files, relied, operations: draft.operations, result: draft };
}

export interface Move {
  readonly from: TreePath;
  readonly to: TreePath;
}

/** Everything at or below a path, as it was in some state. */
export function wholeTarget(wanted: TreeReader, tree: TreeReader, path: TreePath | ''): Target {
  const target = new Map<TreePath, FileVersion | undefined>();
  for (const { path: file, from } of differences(tree, wanted, path)) {
    target.set(file, version(wanted, file));
    if (from !== undefined) target.set(from, version(wanted, from));
  }
  return target;
}

export function movesOf(changes: readonly Change[], within: TreePath | ''): readonly Move[] {
  return changes
    .flatMap(({ operations }) => operations)
    .filter((operation) => operation.kind === 'move')
    .filter(({ from, to }) => isWithin(from, within) && isWithin(to, within));
}

/**
 * Gets the contents that a plan needs: short ones into memory, long ones to this node's disk.
 *
 * @throws UserError  409: contents are no longer held; 413, 507: there is no room for them
 */
export async function withContents(sketched: Sketch, source: PlanSource): Promise<Plan> {
  const wanted: Wanted[] = [];
  for (const operation of sketched.operations)
    if (operation.kind === 'put' && operation.content.kind === 'blob') {
      const { hash, size } = operation.content;
      wanted.push({ path: operation.path, hash, size, at: source.at });
    }
  const { short, long } = divided(wanted);
  const bytes = short.length > 0 ? await source.contents(short) : new Map<ContentHash, Uint8Array>();
  await stageAll(long, source);
  const lost = wanted.filter(({ hash }) => !bytes.has(hash) && !source.staged.has(hash)).map(({ path }) => path);
  if (lost.length > 0)
    throw new UserError(
      409,
      'contents-lost',
      `the contents of ${lost.slice(0, 10).join(', ')} are held neither by the log nor by this node; nothing was changed`,
    );
  const operations = sketched.operations.map((operation): PlannedOperation => {
    if (operation.kind !== 'put' || operation.content.kind !== 'blob') return operation as PlannedOperation;
    const { path, content } = operation;
    const inMemory = bytes.get(content.hash);
    return inMemory === undefined
      ? { kind: 'put-staged', path, file: source.staged.get(content.hash)! }
      : { kind: 'put', path, bytes: inMemory };
  });
  const { files, relied } = sketched;
  return { files, relied, operations };
}

function divided(wanted: readonly Wanted[]): { short: readonly Wanted[]; long: readonly Wanted[] } {
  const short: Wanted[] = [];
  const long: Wanted[] = [];
  let bytes = 0;
  for (const one of wanted.toSorted((a, b) => a.size - b.size)) {
    bytes += one.size;
    (one.size <= SHORT_BYTES_MAX && bytes <= MEMORY_BYTES_MAX ? short : long).push(one);
  }
  return { short, long };
}

async function stageAll(wanted: readonly Wanted[], { bodies, stage, staged }: PlanSource): Promise<void> {
  const missing = new Map(wanted.filter(({ hash }) => !staged.has(hash)).map((one) => [one.hash, one]));
  if (missing.size === 0) return;
  for await (const body of bodies([...missing.values()])) {
    const file = await stage(body);
    if (missing.delete(file.hash)) staged.set(file.hash, file);
    else file.release();
    if (missing.size === 0) return;
  }
}

/** Whether a plan is still good: nobody has changed what it relies on. */
export function stillHolds(plan: Plan, draft: CatalogView): boolean {
  for (const [path, hash] of plan.relied) if (draft.hash(path) !== hash) return false;
  return plan.whole === undefined || nothingElse(plan, plan.whole, draft);
}

function nothingElse({ relied }: Plan, { path, wanted }: Whole, draft: CatalogView): boolean {
  let others = 0;
  const folders: (TreePath | '')[] = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const name of draft.list(folder)) {
      if (name.endsWith('/')) {
        folders.push(joinPath(folder, name.slice(0, -1)));
        continue;
      }
      const file = joinPath(folder, name);
      if (relied.has(file)) continue;
      if (wanted.stat(file)?.hash !== draft.hash(file)) return false;
      others++;
    }
  for (const [file] of wanted.walk(path)) if (!relied.has(file) && file !== path) others--;
  return others === 0;
}

/** Records the plan's steps. @returns what would be broken by it, and was not before */
export function carryOut(plan: Pick<Plan, 'operations'>, draft: Draft): readonly Conflict[] {
  const before = new Set([...draft.broken()].map(({ path }) => path));
  for (const operation of plan.operations) {
    if (operation.kind === 'put') draft.put(operation.path, operation.bytes);
    else if (operation.kind === 'put-staged') operation.file.putInto(draft, operation.path);
    else if (operation.kind === 'delete') draft.delete(operation.path);
    else draft.move(operation.from, operation.to);
  }
  return [...draft.broken()]
    .filter(({ path }) => !before.has(path))
    .map(({ path, problem }) => ({ path, reason: `would be broken: ${problem}`, changedBy: [] }));
}

/** Files that would stay in a folder that exists only since the change that is taken back. */
export function leftovers(before: TreeReader, sketched: Sketch): readonly TreePath[] {
  const found = new Set<TreePath>();
  const seen = new Set<string>();
  for (const { kind, path } of sketched.files) {
    if (kind !== 'deleted') continue;
    for (let folder = parentOf(path); folder !== '' && !seen.has(folder); folder = parentOf(folder)) {
      seen.add(folder);
      if (before.isFolder(folder)) break;
      for (const [file] of sketched.result.walk(folder)) found.add(file);
    }
  }
  return [...found].sort();
}
