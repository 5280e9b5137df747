import { type Clock, UserError } from '../../base/index.ts';
import type { Draft } from '../../catalog/index.ts';
import type { ChangeLog } from '../../log/index.ts';
import {
  type Change,
  type Content,
  type ContentHash,
  contentHash,
  isWithin,
  type Position,
  START,
  type Tree,
  type TreeDraft,
  type TreePath,
  type TreeReader,
  writeSnapshot,
} from '../../tree/index.ts';
import type { ClusterNode, Origin } from '../types.ts';
import { type BodySource, type ContentSource, Contents } from './contents.ts';
import { formatDiff } from './diff.ts';
import { HistoryTrimmedError, noSuchPosition, RevertConflictError } from './errors.ts';
import { around, differences, netChanges, pathsOf } from './files.ts';
import { entriesOf, listChanges, overlaps, touches } from './listing.ts';
import {
  carryOut,
  leftovers,
  type Move,
  movesOf,
  type Plan,
  type PlanSource,
  sketch,
  stillHolds,
  type Target,
  type Whole,
  wholeTarget,
  withContents,
} from './plan.ts';
import { changesOf, LogReader } from './reader.ts';
import { formatRef } from './refs.ts';
import { States } from './states.ts';
import {
  type ChangeDetails,
  type ChangeList,
  type ChangeRef,
  CONFLICT_REFS_MAX,
  type Conflict,
  DRY_RUN_CHARACTERS_MAX,
  type FileChange,
  type FileVersion,
  type ListOptions,
  type Reverted,
  type RevertRequest,
} from './types.ts';

/** What history needs of its node. */
export interface HistoryPorts {
  readonly clock: Clock;
  /** The log, or throws `UnavailableError` while there is no connection. */
  log(): ChangeLog;
  /** The node's tree, which moves on. */
  readonly tree: Tree;
  logId(): string;
  /** A draft on the node's present state. */
  draft(): Draft;
  readonly write: ClusterNode['write'];
  readonly stage: ClusterNode['stage'];
}

/** A backup of the node's present state; to be read without delay, or destroyed. */
export type Backup = ReturnType<typeof writeSnapshot> & { readonly logId: string };

/** A state from elsewhere, a backup for instance, that files are to be taken from. */
export interface OtherState {
  /** For people: `the backup of position 12`. */
  readonly name: string;
  /** Names and hashes. */
  readonly tree: TreeReader;
  readonly contents: ContentSource;
  readonly bodies: BodySource;
}

/** Later records that are looked through for what stands in the way of a revert. */
const LATER_SCANNED_MAX = 20_000;
/** Records looked back through for the last writers of a change's files, before the state is rebuilt. */
const LOOK_BACK_RECORDS = 256;
const LOOK_BACK_FILES = 100;

/**
 * Who changed what, when and from where; and the way back. Everything is read from the log as far as it reaches: a change that
 * is no longer there is a `HistoryTrimmedError`. Reverting is a new change.
 */
export class History {
  readonly #ports: HistoryPorts;
  readonly #reader: LogReader;
  readonly #states: States;
  readonly #contents: Contents;

  constructor(ports: HistoryPorts) {
    this.#ports = ports;
    this.#reader = new LogReader(() => ports.log(), ports.clock);
    this.#states = new States(this.#reader, () => this.#head);
    this.#contents = new Contents(this.#reader, ports.tree);
  }

  /** What this node has applied: newer changes are not shown. */
  get #head(): Position {
    return this.#ports.tree.position;
  }

  // ---- looking

  /** Lists changes, the newest first. */
  list(options: ListOptions): Promise<ChangeList> {
    return listChanges(this.#reader, this.#head, options);
  }

  /** The oldest position that the log keeps. */
  async keptFrom(): Promise<Position> {
    return ((await this.#reader.trimmed()) + 1) as Position;
  }

  /**
   * The changes of a record, or one of them, each with the files that it touched.
   *
   * @throws UserError            404 there is no such change
   * @throws HistoryTrimmedError  it is no longer held
   */
  async show(ref: ChangeRef): Promise<readonly ChangeDetails[]> {
    const record = await this.#record(ref.position);
    const changes = changesOf(record);
    const entries = entriesOf(ref.position, record);
    const wanted = entries.filter((_, i) => ref.index === undefined || ref.index === i + 1);
    if (wanted.length === 0) throw noSuchChange(ref, entries.length);
    const shown: ChangeDetails[] = [];
    for (const entry of wanted) {
      const i = entries.indexOf(entry);
      shown.push({
        ...entry,
        files: changes[i] ? await this.#files(ref.position, changes[i], changes.slice(0, i)) : [],
      });
    }
    return shown;
  }

  /** Where the change with this id stands. @throws UserError  404: among what the log holds there is none */
  async find(id: string): Promise<ChangeRef> {
    const trimmed = await this.#reader.trimmed();
    if (this.#head > trimmed)
      for await (const { position, record } of this.#reader.backwards(this.#head, trimmed)) {
        const changes = changesOf(record);
        const index = changes.findIndex((change) => change.id === id);
        if (index >= 0) return changes.length > 1 ? { position, index: index + 1 } : { position };
      }
    throw new UserError(
      404,
      'no-such-change',
      `the log, from position ${trimmed + 1} on, holds no change with the id ${id}`,
    );
  }

  /** The way from one position to another, which may be the older one. @throws UserError, HistoryTrimmedError */
  async between(from: Position, to: Position, path: TreePath | '' = ''): Promise<readonly FileChange[]> {
    const [before, after] = [await this.#states.at(from), await this.#states.at(to)];
    return differences(before.tree, after.tree, path);
  }

  /** The files of a position. @throws UserError, HistoryTrimmedError */
  async files(position: Position): Promise<TreeReader> {
    return (await this.#states.at(position)).tree;
  }

  /** The bytes of a file at a position; undefined when there was none. @throws UserError, HistoryTrimmedError */
  async read(path: TreePath, position: Position): Promise<Uint8Array | undefined> {
    const stat = (await this.#states.at(position)).tree.stat(path);
    if (stat === undefined) return undefined;
    const bytes = (await this.#contents.get([{ path, hash: stat.hash, size: stat.size, at: position }])).get(stat.hash);
    if (bytes === undefined) throw new HistoryTrimmedError(position, await this.keptFrom());
    return bytes;
  }

  /** A change as a unified diff, headed by who made it when. */
  async *diffOf(change: ChangeDetails): AsyncGenerator<string> {
    const before = Math.max(START, change.position - 1) as Position;
    yield* formatDiff(change.files, { before, after: change.position }, this.#contents.get);
  }

  /** Files as a unified diff. */
  diff(files: readonly FileChange[], between: { before: Position; after: Position }): AsyncGenerator<string> {
    return formatDiff(files, between, this.#contents.get);
  }

  /** Everything, as it is now. */
  backup(): Backup {
    const logId = this.#ports.logId();
    return { ...writeSnapshot(this.#ports.tree, logId), logId };
  }

  // ---- going back

  /**
   * Takes back one change, or everything since a position, as a new change.
   *
   * @throws RevertConflictError  later changes stand in the way, and `force` is not set
   * @throws UserError            404 there is no such change; 400 the position holds several; 410, 413, 409 it cannot be had
   * @throws                      as `ClusterNode.write` does
   */
  async revert(request: RevertRequest, origin: Omit<Origin, 'why'>): Promise<Reverted> {
    const { target } = request;
    if (target.kind === 'to') {
      const wanted = (await this.#states.at(target.position)).tree;
      const what = `everything${request.path ? ` below ${request.path}` : ''} since position ${target.position}`;
      const why = `back to position ${target.position}${request.path ? ` below ${request.path}` : ''}`;
      const moves = async () => movesOf(await this.#changesSince(target.position), request.path ?? '');
      const source = { ...this.#kept, tree: wanted, at: target.position, moves };
      const prepare = (staged: StagedFiles) => this.#planWhole({ ...source, staged }, request.path ?? '');
      return this.#execute(request, { what, why, origin, prepare });
    }
    const ref = target.kind === 'id' ? await this.find(target.id) : target.ref;
    const undone = await this.#undone(ref);
    const what = `change ${undone.ref} (${undone.change.why})`;
    const why = `revert of ${undone.ref} (${undone.change.why})`;
    return this.#execute(request, {
      what,
      why,
      origin,
      prepare: (staged) => this.#planUndo(undone, what, request, staged),
    });
  }

  /**
   * Makes the files those of another state, a backup, as a new change.
   * @throws  as `revert` does
   */
  restore(state: OtherState, request: Omit<RevertRequest, 'target'>, origin: Omit<Origin, 'why'>): Promise<Reverted> {
    const below = request.path ? ` below ${request.path}` : '';
    const source = { ...this.#kept, ...state, at: START, moves: async () => [] };
    return this.#execute(request, {
      what: `everything${below} that differs from ${state.name}`,
      why: `restore of ${state.name}${below}`,
      origin,
      prepare: (staged) => this.#planWhole({ ...source, staged }, request.path ?? ''),
    });
  }

  async #execute(request: Omit<RevertRequest, 'target'>, parts: WayBack): Promise<Reverted> {
    const staged: StagedFiles = new Map();
    try {
      return await this.#executeWith(request, parts, staged);
    } finally {
      for (const file of staged.values()) file.release();
    }
  }

  async #executeWith(request: Omit<RevertRequest, 'target'>, parts: WayBack, staged: StagedFiles): Promise<Reverted> {
    const { what } = parts;
    const why = request.why ? `${parts.why}: ${request.why}` : parts.why;
    const outcome = (planned: Planned, broken: readonly Conflict[]) => ({
      what,
      files: planned.plan.files,
      conflicts: [...planned.conflicts, ...(planned.isWhole ? [] : broken)],
    });
    if (request.dryRun) {
      const planned = await parts.prepare(staged);
      const position = this.#head;
      const done = outcome(planned, carryOut(planned.plan, this.#ports.draft()));
      return { position, changed: false, ...done, diff: await this.#preview(planned.plan, position) };
    }
    let changed = false;
    const written = await this.#ports.write<Planned, ReturnType<typeof outcome>>({
      origin: { ...parts.origin, why },
      prepare: async () => {
        const planned = await parts.prepare(staged);
        if (planned.conflicts.length > 0 && !request.force) throw new RevertConflictError(what, planned.conflicts);
        return planned;
      },
      stillHolds: ({ plan }, draft) => stillHolds(plan, draft),
      evaluate: (draft, planned) => {
        const done = outcome(planned, carryOut(planned.plan, draft));
        if (done.conflicts.length > 0 && !request.force) throw new RevertConflictError(what, done.conflicts);
        changed = done.files.length > 0;
        return done;
      },
    });
    const done = written.result ?? { what, files: [], conflicts: [] };
    return { position: written.position, changed: changed && !written.repeated, ...done };
  }

  async #preview({ files, operations }: Plan, position: Position): Promise<string> {
    const puts = new Map<ContentHash, Uint8Array>();
    for (const operation of operations)
      if (operation.kind === 'put') puts.set(contentHash(operation.bytes), operation.bytes);
    const contents: ContentSource = async (wanted) =>
      new Map([...(await this.#contents.get(wanted.filter(({ hash }) => !puts.has(hash)))), ...puts]);
    let text = '';
    let shown = 0;
    for await (const part of formatDiff(files, { before: position, after: position }, contents)) {
      if (text.length + part.length > DRY_RUN_CHARACTERS_MAX)
        return `${text}… and ${files.length - shown} more files\n`;
      text += part;
      shown++;
    }
    return text;
  }

  async #planWhole(
    source: PlanSource & {
      readonly tree: TreeReader;
      moves(): Promise<readonly Move[]>;
    },
    path: TreePath | '',
  ): Promise<Planned> {
    const moves = await source.moves();
    const { tree } = this.#ports;
    const sketched = sketch(tree, (moved) => wholeTarget(source.tree, moved, path), moves);
    const plan = await withContents(sketched, source);
    const whole: Whole = { path, wanted: source.tree };
    return { plan: { ...plan, whole }, conflicts: [], isWhole: true };
  }

  /** What the log and this node keep. */
  get #kept(): Pick<PlanSource, 'contents' | 'bodies' | 'stage'> {
    return { contents: this.#contents.get, bodies: this.#contents.bodies, stage: this.#ports.stage };
  }

  async #planUndo(undone: Undone, what: string, request: RevertRequest, staged: StagedFiles): Promise<Planned> {
    const { before, after, touched } = undone;
    const target = new Map<TreePath, FileVersion | undefined>();
    const within = request.path ?? '';
    for (const path of touched.flatMap(pathsOf)) if (isWithin(path, within)) target.set(path, before.stat(path));
    if (target.size === 0)
      throw new UserError(400, 'nothing-there', `${what} touched no file${within && ` at or below ${within}`}`);
    const moves = movesOf([undone.change], within);
    const sketched = sketch(this.#ports.tree, (moved) => withMoved(target, moved, before), moves);
    const inWay = inTheWay({ tree: this.#ports.tree, target, after });
    for (const path of leftovers(before, sketched))
      inWay.push({ path, reason: 'lies in a folder that the change made' });
    const conflicts = await this.#conflicts(inWay, goneAnyway({ tree: this.#ports.tree, target, after }), undone);
    const plan = await withContents(sketched, { ...this.#kept, at: (undone.position - 1) as Position, staged });
    return { plan, conflicts, isWhole: false };
  }

  // ---- pieces

  async #record(position: Position) {
    if (position < 1 || position > this.#head) throw noSuchPosition(position, this.#head);
    return this.#reader.record(position);
  }

  async #undone(ref: ChangeRef): Promise<Undone> {
    const record = await this.#record(ref.position);
    const changes = changesOf(record);
    if (record.kind === 'genesis')
      throw new UserError(
        400,
        'not-a-change',
        `position ${ref.position} is where the log begins: there is nothing before it`,
      );
    if (ref.index === undefined && changes.length > 1)
      throw new UserError(
        400,
        'several-changes',
        `position ${ref.position} holds ${changes.length} changes; name one of them: ` +
          changes.map((change, i) => `${formatRef(ref.position, i + 1, changes.length)} (${change.why})`).join(', '),
      );
    const index = ref.index ?? 1;
    const change = changes[index - 1];
    if (change === undefined) throw noSuchChange(ref, changes.length);
    const state = await this.#states.at((ref.position - 1) as Position);
    return {
      ...around(state, change, changes.slice(0, index - 1)),
      change,
      position: ref.position,
      index,
      ref: formatRef(ref.position, index, changes.length),
    };
  }

  /** The files of a change: from the last writers of the same files, where they are near; from the state before it otherwise. */
  async #files(position: Position, change: Change, earlier: readonly Change[]): Promise<readonly FileChange[]> {
    const before = (position - 1) as Position;
    if (!this.#states.isNear(before)) {
      const files = await this.#fromLastWriters(position, change, earlier);
      if (files !== undefined) return files;
    }
    return netChanges(around(await this.#states.at(before), change, earlier));
  }

  /** Undefined when it cannot be told without the state: files that were not there before, folders, moves. */
  async #fromLastWriters(
    position: Position,
    change: Change,
    earlier: readonly Change[],
  ): Promise<readonly FileChange[] | undefined> {
    if (change.operations.length > LOOK_BACK_FILES) return undefined;
    const missing = new Map<TreePath, FileVersion>();
    for (const operation of change.operations) {
      if (operation.kind !== 'put') return undefined;
      missing.set(operation.path, versionOf(operation.content));
    }
    const files: FileChange[] = [];
    /** Looks for writers in a change; undefined when something else happened to one of the files. */
    const look = (older: Change): true | undefined => {
      for (const operation of older.operations.toReversed()) {
        if (operation.kind === 'put' && missing.has(operation.path)) {
          const { path } = operation;
          const [was, is] = [versionOf(operation.content), missing.get(path)!];
          this.#contents.remember(operation.content);
          if (was.hash !== is.hash) files.push({ kind: 'changed', path, before: was, after: is });
          missing.delete(path);
        } else for (const path of missing.keys()) if (overlaps(operation, path)) return undefined;
      }
      return true;
    };
    for (const older of earlier.toReversed()) if (look(older) === undefined) return undefined;
    const downTo = Math.max(await this.#reader.trimmed(), position - 1 - LOOK_BACK_RECORDS) as Position;
    if (missing.size > 0 && position - 1 > downTo)
      for await (const { record } of this.#reader.backwards((position - 1) as Position, downTo)) {
        for (const older of changesOf(record).toReversed()) if (look(older) === undefined) return undefined;
        if (missing.size === 0) break;
      }
    if (missing.size > 0) return undefined;
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async #changesSince(position: Position): Promise<readonly Change[]> {
    const moving: Change[] = [];
    if (position < this.#head)
      for await (const { record } of this.#reader.forwards(position, this.#head))
        for (const change of changesOf(record))
          if (change.operations.some(({ kind }) => kind === 'move')) moving.push(change);
    return moving;
  }

  /**
   * Who changed these files after the change that is to be taken back.
   *
   * @param gone  files of the change that are not there any more, as is wanted; a conflict when they were only moved
   */
  async #conflicts(
    inWay: readonly Pick<Conflict, 'path' | 'reason'>[],
    gone: readonly TreePath[],
    { position, index }: Undone,
  ): Promise<readonly Conflict[]> {
    if (inWay.length === 0 && gone.length === 0) return [];
    const changedBy = new Map(inWay.map(({ path }) => [path, [] as string[]]));
    const moved = new Map<TreePath, Conflict>();
    const downTo = Math.max(position - 1, this.#head - LATER_SCANNED_MAX) as Position;
    for await (const { position: later, record } of this.#reader.backwards(this.#head, downTo)) {
      const changes = changesOf(record);
      for (const [i, { operations }] of changes.entries().toArray().reverse()) {
        if (later === position && i + 1 <= index) continue;
        const ref = formatRef(later, i + 1, changes.length);
        for (const [path, refs] of changedBy)
          if (refs.length < CONFLICT_REFS_MAX && operations.some((operation) => touches(operation, path)))
            refs.push(ref);
        for (const operation of operations) {
          if (operation.kind !== 'move') continue;
          const { from, to } = operation;
          for (const path of gone)
            if (isWithin(path, from))
              moved.set(path, { path, reason: `was moved to ${to}${path.slice(from.length)}`, changedBy: [ref] });
        }
      }
    }
    return [...inWay.map((one) => ({ ...one, changedBy: changedBy.get(one.path)! })), ...moved.values()];
  }
}

type StagedFiles = PlanSource['staged'];

/** What is made of the way back, and how it is worked out. */
interface WayBack {
  readonly what: string;
  readonly why: string;
  readonly origin: Omit<Origin, 'why'>;
  prepare(staged: StagedFiles): Promise<Planned>;
}

interface Planned {
  readonly plan: Plan;
  readonly conflicts: readonly Conflict[];
  /** Everything becomes what it was once, broken or not. */
  readonly isWhole: boolean;
}

/** A change that is to be taken back, with the tree before and after it. */
interface Undone extends ReturnType<typeof around> {
  readonly change: Change;
  readonly position: Position;
  /** From 1, in the record. */
  readonly index: number;
  readonly ref: string;
}

/** Files that are neither what the change made of them nor what they are to be again. */
function inTheWay(parts: {
  readonly tree: TreeReader;
  readonly target: Target;
  readonly after: TreeReader;
}): { path: TreePath; reason: string }[] {
  const { tree, target, after } = parts;
  const found: { path: TreePath; reason: string }[] = [];
  for (const [path, wanted] of target) {
    const [now, then] = [tree.stat(path)?.hash, after.stat(path)?.hash];
    if (now === then || now === wanted?.hash) continue;
    found.push({
      path,
      reason: now === undefined ? 'is gone' : then === undefined ? 'is there again' : 'was changed since',
    });
  }
  return found;
}

/** What the change put into a folder that it had moved is moved back with the folder: there it is to be as it was before. */
function withMoved(target: Target, moved: TreeDraft, before: TreeReader): Target {
  const all = new Map(target);
  for (const step of moved.touched())
    if (step.kind === 'moved' && all.has(step.from) && !all.has(step.to)) all.set(step.to, before.stat(step.to));
  return all;
}

/** Files that the change left, that are to be gone again, and are. */
function goneAnyway(parts: {
  readonly tree: TreeReader;
  readonly target: Target;
  readonly after: TreeReader;
}): TreePath[] {
  const { tree, target, after } = parts;
  return [...target]
    .filter(([path, wanted]) => wanted === undefined && tree.stat(path) === undefined && after.stat(path) !== undefined)
    .map(([path]) => path);
}

function versionOf(content: Content): FileVersion {
  if (content.kind === 'blob') return { hash: content.hash, size: content.size };
  return { hash: contentHash(content.bytes), size: content.bytes.length };
}

function noSuchChange({ position, index }: ChangeRef, several: number): UserError {
  return new UserError(
    404,
    'no-such-change',
    `position ${position} holds ${several} change${several === 1 ? '' : 's'}, so there is no ${position}.${index}`,
  );
}
