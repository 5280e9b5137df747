import { type Clock, messageOf, UnavailableError, UncertainError, UserError } from '../../src/base/index.ts';
import { changeWorkspace, createStyle, createWorkspace, type Draft, deleteWorkspace } from '../../src/catalog/index.ts';
import { NotPrimaryError, type WriteRequest, type Written } from '../../src/cluster/index.ts';
import { type Position, type TreePath, treePath } from '../../src/tree/index.ts';
import { XmlElement } from '../../src/xml/index.ts';
import type { Dice } from './dice.ts';
import { never } from './life.ts';
import type { Machine, Running } from './machine.ts';
import { FOLDERS, marksIn, type Oracle, textOf } from './oracle.ts';
import type { Trace } from './trace.ts';

export interface WorkloadParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly oracle: Oracle;
  readonly machines: readonly Machine[];
  onProblem(problem: unknown): void;
}

const GIVEN_UP = new UncertainError('the client has given up');

type Outcome = 'done' | 'uncertain' | 'refused' | 'unavailable';

/** What clients do, and what they were told; each answer is checked against the log. */
export class Workload {
  readonly #parts: WorkloadParts;
  /** No answer given before now was about an older state: reads that begin now must see at least this. */
  #floor = 0 as Position;
  /** The longest list of marks that anybody has read, by file. */
  readonly #read = new Map<string, readonly string[]>();
  /** Marks that clients were told of, and those of which nobody knows. */
  readonly #answered = new Map<string, Set<string>>();
  readonly #possible = new Set<string>();
  /** Requests with a key that may still be sent again: records after their first attempt are needed to recognise them. */
  readonly #keyed = new Map<string, Position>();
  #marks = 0;
  readonly counts: Record<Outcome, number> = { done: 0, uncertain: 0, refused: 0, unavailable: 0 };

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
  }

  /** The log must not be trimmed above this: who sends a key again relies on it. */
  get neededFrom(): Position {
    return Math.min(this.#parts.oracle.position, ...this.#keyed.values()) as Position;
  }

  async client(untilMs: number, thinkMs: number): Promise<void> {
    const { clock, dice } = this.#parts;
    while (clock.monotonicMs() < untilMs) {
      await clock.sleep(dice.upTo(thinkMs));
      const act = dice.weighted({
        mark: 40,
        read: 25,
        once: 8,
        toggle: 8,
        shuffle: 14,
        catalog: 5,
        revert: 2,
        burst: 3,
      });
      if (act === 'mark') await this.#mark(`n${dice.whole(1, 3)}`);
      else if (act === 'read') await this.#readBack(`n${dice.whole(1, 3)}`);
      else if (act === 'once') await this.#once(`o${dice.whole(1, 30)}`);
      else if (act === 'toggle') await this.#toggle(`t${dice.whole(1, 3)}`);
      else if (act === 'shuffle') await this.#shuffle();
      else if (act === 'revert') await this.#revert();
      // Some of these become one record.
      else if (act === 'burst') await Promise.all([1, 1, 2, 3].map((n) => this.#mark(`n${n}`)));
      else await this.#catalog();
    }
  }

  /** At the end, when the whole log has been read. */
  checkEnd(): void {
    const { oracle } = this.#parts;
    for (const path of oracle.paths(FOLDERS.marks)) {
      const found = marksIn(oracle.textAt(path, oracle.position));
      const missing = [...(this.#answered.get(path) ?? [])].filter((mark) => !found.includes(mark));
      if (missing.length > 0) this.#problem(`${path} has lost ${missing}, which were answered`);
      const denied = found.filter((mark) => !this.#possible.has(mark));
      if (denied.length > 0) this.#problem(`${path} has ${denied}, of which it was said that nothing was changed`);
    }
    if (oracle.unchecked > 0) this.#problem(`${oracle.unchecked} answers speak of records that the log does not have`);
  }

  // ---- writing

  /**
   * Adds a mark of its own to the end of a file: none may be lost, none may be there twice. With a key it is sent again, to any
   * node, until there is an answer; without one, every attempt has a mark of its own.
   */
  async #mark(name: string): Promise<void> {
    const { clock, dice, oracle } = this.#parts;
    const path = treePath(`${FOLDERS.marks}/${name}`);
    const withKey = dice.chance(0.5);
    const prepared = dice.chance(0.2);
    const key = `m${++this.#marks}`;
    if (withKey) this.#keyed.set(key, oracle.position);
    for (let attempt = 0; attempt < (withKey ? 8 : 3); attempt++) {
      const mark = withKey || attempt === 0 ? key : `m${++this.#marks}`;
      const add = (draft: Draft, old: string | undefined) =>
        draft.put(path, Buffer.from([...marksIn(old), mark].join(' ')));
      const origin = { by: 'sim', why: `mark ${mark}`, ...(withKey && { idempotencyKey: key }) };
      const request: WriteRequest<string | undefined, void> = prepared
        ? {
            origin,
            prepare: async (view) => {
              const seen = textOf(view.read(path));
              await clock.sleep(dice.upTo(20));
              return seen;
            },
            stillHolds: (seen, draft) => textOf(draft.read(path)) === seen,
            evaluate: (draft, seen) => add(draft, seen),
          }
        : { origin, evaluate: (draft) => add(draft, textOf(draft.read(path))) };
      // Before the outcome is known, the mark may be there.
      const knownBefore = this.#possible.has(mark);
      this.#possible.add(mark);
      const outcome = await this.#write(`mark ${mark}`, request, (written, { node }) => {
        const answered = this.#answered.get(path) ?? new Set();
        this.#answered.set(path, answered.add(mark));
        const shown = readable(() => textOf(node.catalog.read(path)));
        if (shown !== undefined && !marksIn(shown).includes(mark) && node.position >= written.position)
          this.#problem(`${node.name} answered ${mark} and does not show it`);
        oracle.at(written.position, () => {
          if (!marksIn(oracle.textAt(path, written.position)).includes(mark))
            this.#problem(`${mark} was answered at ${written.position} and is not there`);
        });
      });
      if (outcome === 'done' || outcome === undefined) {
        if (outcome === undefined && !knownBefore) this.#possible.delete(mark);
        if (outcome === 'done') break;
      }
      if ((outcome === 'refused' || outcome === 'unavailable') && !knownBefore) this.#possible.delete(mark);
      await clock.sleep(dice.upTo(300));
    }
    this.#keyed.delete(key);
  }

  /** Only the first may succeed, and for ever. */
  async #once(name: string): Promise<void> {
    const path = treePath(`${FOLDERS.once}/${name}`);
    const token = `c${++this.#marks}`;
    await this.#write(
      `make ${path}`,
      {
        origin: { by: 'sim', why: 'make' },
        evaluate(draft) {
          if (draft.exists(path)) throw new UserError(409, 'exists', `${path} exists`);
          draft.put(path, Buffer.from(token));
        },
      },
      ({ position }) => this.#expectText(path, position, token),
      (lo, hi) => this.#parts.oracle.wasEver(path, true, lo, hi),
    );
  }

  #expectText(path: TreePath, position: Position, text: string): void {
    const { oracle } = this.#parts;
    oracle.at(position, () => {
      if (!oracle.history(path).some((one) => one.from === position && one.text === text))
        this.#problem(`${path} was answered as ${text} at ${position}, and the log does not say so`);
    });
  }

  /** Made when it is not there, removed when it is: 409 and 404 must have been true. */
  async #toggle(name: string): Promise<void> {
    const { dice, oracle } = this.#parts;
    const path = treePath(`${FOLDERS.toggle}/${name}`);
    const token = `c${++this.#marks}`;
    const make = dice.chance(0.5);
    await this.#write(
      `${make ? 'make' : 'remove'} ${path}`,
      {
        origin: { by: 'sim', why: 'toggle' },
        evaluate(draft) {
          if (draft.exists(path) === make) throw new UserError(make ? 409 : 404, 'toggle', `${path}: not now`);
          if (make) draft.put(path, Buffer.from(token));
          else draft.delete(path);
        },
      },
      ({ position }) => make && this.#expectText(path, position, token),
      (lo, hi) => oracle.wasEver(path, make, lo, hi),
    );
  }

  /** Puts, moves and deletes without a purpose, some of them of long files. */
  async #shuffle(): Promise<void> {
    const { dice } = this.#parts;
    const folder = () => treePath(`shuffle/${dice.pick(['x', 'y', 'z', 'x/y'])}`);
    const steps = Array.from({ length: dice.whole(1, 3) }, () => ({
      kind: dice.weighted({ put: 5, move: 3, delete: 2, 'move-file': 1 }),
      one: folder(),
      other: folder(),
      file: `f${dice.whole(0, 3)}`,
      bytes: Buffer.alloc(dice.chance(0.15) ? 65_537 : dice.whole(0, 40), dice.whole(0, 255)),
    }));
    await this.#write('shuffle', {
      origin: { by: 'sim', why: 'shuffle' },
      evaluate(draft) {
        for (const { kind, one, other, file, bytes } of steps) {
          if (kind === 'put') draft.put(treePath(`${one}/${file}`), bytes);
          else if (kind === 'delete') draft.delete(one);
          else if (kind === 'move-file') draft.move(treePath(`${one}/${file}`), treePath(`${other}/${file}`));
          else draft.move(one, other);
        }
      },
    });
  }

  /** What an administrator does, through the catalog. */
  async #catalog(): Promise<void> {
    const { dice, clock } = this.#parts;
    const name = `w${dice.whole(1, 4)}`;
    const other = `w${dice.whole(1, 4)}`;
    const act = dice.weighted({ create: 4, rename: 2, delete: 2, style: 2 });
    await this.#write(`${act} ${name}`, {
      origin: { by: 'sim', why: `${act} ${name}` },
      evaluate(draft) {
        const env = { now: clock.now(), random: dice.next, user: 'sim' };
        if (act === 'create') return void createWorkspace(draft, { name }, env);
        const workspace = draft.workspace(name);
        if (workspace === undefined) throw new UserError(404, 'no-workspace', `${name} is not there`);
        if (act === 'rename') changeWorkspace(draft, workspace, { name: other }, env);
        else if (act === 'delete') deleteWorkspace(draft, workspace, { recurse: true }, env);
        else
          createStyle(
            draft,
            workspace,
            XmlElement.of('style', [XmlElement.of('name', other)]),
            env,
            Buffer.from('<a/>'),
          );
      },
    });
  }

  /** Takes back what some change did to the files that nobody keeps count of. */
  async #revert(): Promise<void> {
    const { dice, oracle } = this.#parts;
    const position = Math.max(1, oracle.position - dice.whole(0, 20)) as Position;
    const target = dice.chance(0.5)
      ? { kind: 'change' as const, ref: { position } }
      : { kind: 'to' as const, position };
    const request = { target, path: treePath('shuffle'), force: dice.chance(0.5) };
    await this.#ask(`revert ${target.kind} ${position}`, async ({ node }) => {
      const { position: at, changed } = await node.history.revert(request, { by: 'sim' });
      return { result: changed, position: at, repeated: true };
    });
  }

  /**
   * Asks any node; undefined when it is down.
   * @param wasTrue  whether a refusal was true at some moment between two positions
   */
  #write<Prepared, Result>(
    what: string,
    request: WriteRequest<Prepared, Result>,
    onDone?: (written: Written<Result>, up: Running) => void,
    wasTrue?: (lo: Position, hi: Position) => boolean,
  ): Promise<Outcome | undefined> {
    return this.#ask(what, ({ node }) => node.write(request), onDone, wasTrue);
  }

  async #ask<Result>(
    what: string,
    ask: (up: Running) => Promise<Written<Result>>,
    onDone: (written: Written<Result>, up: Running) => void = () => {},
    wasTrue?: (lo: Position, hi: Position) => boolean,
  ): Promise<Outcome | undefined> {
    const { clock, dice, machines, trace, oracle } = this.#parts;
    const machine = dice.pick(machines);
    const { up } = machine;
    if (up === undefined) return undefined;
    const floor = this.#floor;
    try {
      const answer = up.life.outside(ask(up));
      // Some clients give up, or their connection does.
      const given = dice.chance(0.1) ? clock.sleep(dice.upTo(100)).then(() => Promise.reject(GIVEN_UP)) : never();
      const written = await Promise.race([answer, given]);
      trace.add(machine.name, `${what}: ${written.repeated ? 'repeated' : 'done'} at ${written.position}`);
      if (up.node.position < written.position && !up.life.dead)
        this.#problem(`${machine.name} answered position ${written.position} and is at ${up.node.position}`);
      if (!written.repeated && written.position < floor)
        this.#problem(`${what} was done at ${written.position}, and ${floor} had been answered before`);
      this.#reached(written.position);
      onDone(written, up);
      return this.#count('done');
    } catch (error) {
      trace.add(machine.name, `${what}: ${messageOf(error)}`);
      if (error instanceof UncertainError) return this.#count('uncertain');
      if (error instanceof UserError) {
        // The node speaks of a state that it has applied.
        const { position } = up.node;
        oracle.at(position, () => {
          if (wasTrue && !wasTrue(floor, position))
            this.#problem(`${what} was refused (${error.message}), which was never true from ${floor} to ${position}`);
        });
        return this.#count('refused');
      }
      if (error instanceof UnavailableError || error instanceof NotPrimaryError) return this.#count('unavailable');
      this.#parts.onProblem(
        new Error(`${what} on ${machine.name} failed in a way that clients do not expect`, { cause: error }),
      );
      return 'uncertain';
    }
  }

  #count(outcome: Outcome): Outcome {
    this.counts[outcome]++;
    return outcome;
  }

  // ---- reading

  /** Everything that was answered or read before is seen, on any node; so it is by a request that changes nothing. */
  async #readBack(name: string): Promise<void> {
    const { dice, machines, trace, oracle } = this.#parts;
    const path = treePath(`${FOLDERS.marks}/${name}`);
    const machine = dice.pick(machines);
    const { up } = machine;
    if (up === undefined) return;
    const { node, life } = up;
    const floor = this.#floor;
    const known = new Set([...(this.#answered.get(path) ?? []), ...(this.#read.get(path) ?? [])]);
    const way = dice.pick(['catchUp', 'waitFor', 'write'] as const);
    let found: readonly string[];
    let position: Position;
    try {
      if (way === 'write') {
        const request = {
          origin: { by: 'sim', why: 'look' },
          evaluate: (draft: Draft) => marksIn(textOf(draft.read(path))),
        };
        const written = await life.outside(node.write(request));
        found = written.result;
        position = written.position;
      } else {
        await life.outside<unknown>(way === 'catchUp' ? node.catchUp() : node.waitFor(floor, 2000));
        position = node.position;
        found = marksIn(textOf(node.catalog.read(path)));
      }
    } catch (error) {
      trace.add(machine.name, `read ${name} by ${way}: ${messageOf(error)}`);
      if (error instanceof UnavailableError || error instanceof UncertainError || error instanceof NotPrimaryError)
        return;
      return this.#parts.onProblem(new Error(`a read on ${machine.name} failed`, { cause: error }));
    }
    trace.add(machine.name, `read ${name} by ${way}: ${found.length} marks at ${position}`);
    if (position < floor) this.#problem(`${machine.name} read at ${position}, and ${floor} had been answered before`);
    const missing = [...known].filter((mark) => !found.includes(mark));
    if (missing.length > 0) this.#problem(`${machine.name} does not see ${missing} in ${name} by ${way}`);
    oracle.at(position, () => {
      const truth = marksIn(oracle.textAt(path, position));
      // A request sees those of its record that were evaluated before it.
      const least = way === 'write' ? marksIn(oracle.textAt(path, (position - 1) as Position)).length : truth.length;
      if (found.length < least || found.some((mark, i) => mark !== truth[i]))
        this.#problem(`${machine.name} read ${found} in ${name} at ${position}, where the log has ${truth}`);
    });
    // Who only waited for a position says nothing about the newest state, but what was seen stays seen.
    this.#reached(position);
    if (found.length > (this.#read.get(path)?.length ?? 0)) this.#read.set(path, found);
  }

  #reached(position: Position): void {
    if (position > this.#floor) this.#floor = position;
  }

  #problem(text: string): void {
    this.#parts.onProblem(new Error(text));
  }
}

/** Undefined when the disk cannot be read just now. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnavailableError) return undefined;
    throw error;
  }
}
