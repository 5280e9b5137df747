/** A client of the REST API: no session, no preferred node, and an exact memory of what it was told. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { workspaceXml } from '../e2e/harness.ts';
import { type Board, story } from './board.ts';
import { ANSWER_MS_MAX, type Asked, type Outcome, RestConnections } from './http.ts';
import type { Attempt, Mark, Operation } from './ledger.ts';
import type { FaultNode } from './node.ts';
import {
  counter,
  counterText,
  countIn,
  dataStore,
  type FaultObject,
  mover,
  movingName,
  type Plan,
  resource,
  sld,
  storeXml,
  style,
  upload,
  workspace,
} from './objects.ts';
import type { Random } from './random.ts';

/** After so many rounds through all nodes without a definite answer, a request is given up. */
const ROUNDS_MAX = 20;
const ROUND_PAUSE_MS = 150;
/** All clients try to make one workspace in the same time; one at most succeeds. */
const RACE_MS = 3000;

/** How often which kind of object is taken. */
const WEIGHTS = { workspace: 3, style: 6, store: 5, resource: 6, counter: 4, mover: 2, upload: 1, race: 1 } as const;

export interface ClientParts {
  readonly index: number;
  readonly nodes: readonly FaultNode[];
  readonly board: Board;
  readonly random: Random;
  /** Distinguishes runs. */
  readonly run: string;
}

export class Client {
  readonly name: string;
  readonly #parts: ClientParts;
  readonly #connections = new RestConnections();
  readonly #workspace: string;
  #count = 0;
  #turn: number;
  #pool = new Map<keyof typeof WEIGHTS, FaultObject[]>();
  /** Objects of which it is not certain what they are: looked at again at the end. */
  readonly #retired: FaultObject[] = [];
  #counter: { readonly object: ReturnType<typeof counter>; raised: number } | undefined;
  #lastSuccessMs = 0;
  #ending = false;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.name = `k${parts.index}`;
    this.#workspace = this.name;
    this.#turn = parts.index;
  }

  /** Makes what the client's objects need. Before any fault. */
  async prepare(): Promise<void> {
    const done = async (what: string, asked: Asked, mark = this.#mark()) => {
      const operation = await this.#send({ what, asked, leaves: mark, refusedWhen: 'present' }, { mark, keyed: true });
      if (operation.verdict !== 'done') throw new Error(`the run cannot begin:\n${story(operation)}`);
      return mark;
    };
    await done('prepares', { method: 'POST', path: '/workspaces', body: workspaceXml(this.#workspace) });
    const count = this.#mark();
    const stores = `/workspaces/${this.#workspace}/datastores`;
    await done('prepares', { method: 'POST', path: stores, body: storeXml('count', counterText(count, 0)) }, count);
    this.#counter = { object: counter('count', this.#workspace, count), raised: 0 };
    const mark = this.#mark();
    const moving = movingName(mark);
    await done('prepares', { method: 'POST', path: '/workspaces', body: workspaceXml(moving) }, mark);
    const body = sld('inside');
    const path = `/workspaces/${moving}/styles?name=inside`;
    await done('prepares', { method: 'POST', path, body, type: 'application/vnd.ogc.sld+xml' });
    this.#pool.set('mover', [mover(this.name, mark)]);
    this.#lastSuccessMs = this.#parts.board.nowMs;
  }

  /** Changes and reads until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { random, board } = this.#parts;
    signal.addEventListener('abort', () => {
      this.#ending = true;
    });
    while (!signal.aborted) {
      const kind = random.weighted(WEIGHTS);
      if (kind === 'race') await this.#race();
      else if (kind === 'counter') await this.#raise();
      else await this.#change(kind);
    }
    this.#waited(board.nowMs);
  }

  /** Reads every object once, when all nodes are in step again. */
  async readAll(): Promise<void> {
    this.#ending = false;
    const counted = this.#counter === undefined ? [] : [this.#counter.object];
    for (const object of [...this.#pool.values()].flat().concat(counted, this.#retired)) await this.#read(object);
    this.#connections.close();
  }

  get objects(): number {
    return [...this.#pool.values()].flat().length + this.#retired.length + 1;
  }

  // ---- changes

  async #change(kind: Exclude<keyof typeof WEIGHTS, 'race' | 'counter'>): Promise<void> {
    const { random } = this.#parts;
    const object = this.#object(kind);
    const mark = this.#mark();
    const operation = await this.#perform(object, object.plan(random, mark), mark);
    if (operation.verdict === 'done' && random.chance(0.6)) await this.#read(object, operation.attempts.at(-1)!.node);
    else if (random.chance(0.1)) await this.#read(object);
    if (object.known.isCertain || kind === 'mover') return;
    const pool = this.#pool.get(kind)!;
    pool.splice(pool.indexOf(object), 1);
    this.#retired.push(object);
  }

  /** An object to change: one of a few, some of which are not there yet. */
  #object(kind: Exclude<keyof typeof WEIGHTS, 'race' | 'counter'>): FaultObject {
    const pool = this.#pool.get(kind) ?? [];
    this.#pool.set(kind, pool);
    const most = kind === 'upload' ? 2 : 8;
    if (kind === 'mover' || (pool.length > 0 && this.#parts.random.chance(pool.length / most)))
      return this.#parts.random.pick(pool);
    const name = `${kind}-${this.name}-${++this.#count}`;
    const object = {
      workspace: () => workspace(this.#mark()),
      style: () => style(name, this.#count % 2 === 0 ? this.#workspace : undefined),
      store: () => dataStore(name, this.#workspace),
      resource: () => resource(`faults/${this.name}/${name}.txt`),
      upload: () => upload(name, this.#workspace),
    }[kind]();
    pool.push(object);
    return object;
  }

  /** Reads a number on one node, and writes the next one on another: always to the end, so that the sum can be told. */
  async #raise(): Promise<void> {
    const { board } = this.#parts;
    const counted = this.#counter!;
    const { object } = counted;
    const wasCertain = object.known.isCertain;
    const body = await this.#read(object);
    if (body === undefined) return;
    const value = countIn(body);
    if (wasCertain && value !== counted.raised)
      return board.violate('lost', `${this.name} has raised its counter ${counted.raised} times, and it is ${value}`);
    counted.raised = object.next(body);
    const mark = this.#mark();
    const operation = await this.#perform(object, object.plan(this.#parts.random, mark), mark, true);
    if (operation.verdict !== 'done') counted.raised--;
  }

  /** Everybody wants to make one workspace. */
  async #race(): Promise<void> {
    const { board, random } = this.#parts;
    const name = `race-${Math.floor(board.nowMs / RACE_MS)}`;
    const mark = this.#mark();
    const asked: Asked = { method: 'POST', path: '/workspaces', body: workspaceXml(name) };
    const plan: Plan = { what: `races for ${name}`, asked, leaves: mark, refusedWhen: 'present' };
    const operation = await this.#send(plan, { mark, keyed: random.chance(0.5) });
    if (operation.verdict !== 'done') return;
    const before = board.races.get(name);
    if (before !== undefined)
      board.violate('done-twice', `two clients have made ${name}:\n${story(before)}\n${story(operation)}`);
    board.races.set(name, operation);
  }

  async #perform(object: FaultObject, plan: Plan, mark: string, keyed?: boolean): Promise<Operation> {
    const { random, board } = this.#parts;
    const { known } = object;
    const possible = known.possible.join(' or ');
    const operation = await this.#send(plan, { mark, keyed: keyed ?? random.chance(0.5) });
    if (operation.verdict === 'refused' && !known.allows(plan.refusedWhen))
      board.violate(
        plan.refusedWhen === 'present' ? 'undeleted' : 'lost',
        `${object.name} should be ${possible}:\n${story(operation)}`,
      );
    known.take(operation);
    return operation;
  }

  /** Sends a change to one node after the other until there is a definite answer, or none can be had. */
  async #send(plan: Plan, { mark, keyed }: { mark: string; keyed: boolean }): Promise<Operation> {
    const { board, nodes, run } = this.#parts;
    const key = keyed ? `${run}-${mark}` : undefined;
    const trace = createHash('sha256').update(`${run}-${mark}`).digest('hex').slice(0, 32);
    const { what, asked, leaves } = plan;
    const request = `${asked.method} ${asked.path}`;
    const attempts: Attempt[] = [];
    const [startedMs, after] = [board.nowMs, board.acked];
    let position: number | undefined;
    let maybe = false;
    let verdict: Operation['verdict'] | undefined;
    for (let i = 0; verdict === undefined && i < ROUNDS_MAX * nodes.length && !(this.#ending && i > 0); i++) {
      if (i > 0 && i % nodes.length === 0) await sleep(ROUND_PAUSE_MS);
      const node = this.#nextNode();
      const attemptMs = board.nowMs;
      const outcome = await this.#connections.ask(node.url, { ...asked, key, trace });
      const answer = answerText(outcome);
      attempts.push({ node: node.name, startedMs: attemptMs, endedMs: board.nowMs, answer });
      const meaning = meaningOf(outcome);
      if (meaning === 'done') {
        verdict = 'done';
        position = (outcome as { position: number }).position;
      } else if (meaning === 'refused') verdict = maybe ? 'unknown' : 'refused';
      else if (meaning === 'unknown') {
        maybe = true;
        if (key === undefined) verdict = 'unknown';
      } else if (meaning === 'wrong') {
        verdict = 'unknown';
        board.violate('wrong-answer', `${this.name} ${what} (${request}) on ${node.name}: ${answer}`);
      }
    }
    verdict ??= maybe ? 'unknown' : 'not-done';
    const operation: Operation = {
      ...{ client: this.name, id: mark, what, request, trace, key, leaves, attempts, startedMs, after, verdict },
      ...(position !== undefined && { position }),
    };
    board.finished(operation);
    if (verdict === 'done') this.#waited(board.nowMs);
    return operation;
  }

  #waited(nowMs: number): void {
    const { longestWaitMs } = this.#parts.board;
    longestWaitMs.set(this.name, Math.max(longestWaitMs.get(this.name) ?? 0, nowMs - this.#lastSuccessMs));
    this.#lastSuccessMs = nowMs;
  }

  // ---- reads

  /** Reads an object through another node than `not`: what it says must be what is known. @returns the answer's body */
  async #read(object: FaultObject, not?: string): Promise<Buffer | undefined> {
    const { board, nodes } = this.#parts;
    for (let i = 0; i < nodes.length * 2 && !(this.#ending && i > 0); i++) {
      const node = this.#nextNode();
      if (node.name === not) continue;
      const [after, startedMs] = [board.acked, board.nowMs];
      const outcome = await this.#connections.ask(node.url, object.read);
      const says = (problem: string) =>
        `${this.name} reads ${object.name} on ${node.name} at ${startedMs} ms: ${problem}; ` +
        `possible is ${object.known.possible.map((mark) => mark ?? 'nothing').join(', ')}; ` +
        `answer: ${answerText(outcome)}, and position ${after} had been answered before`;
      if (outcome.kind !== 'answer' || outcome.status === 503) {
        board.reads.unanswered++;
        continue;
      }
      const { status, position, body } = outcome;
      if (status !== 200 && status !== 404) {
        board.violate('wrong-answer', says(`status ${status}`));
        return undefined;
      }
      const found: { readonly mark: Mark } | string = status === 404 ? { mark: undefined } : object.markOf(body);
      if (typeof found === 'string') board.violate('wrong-bytes', says(found));
      else if (!object.known.observe(found.mark))
        board.violate('stale-read', says(`it is ${found.mark ?? 'not there'}`));
      else if (position < after) board.violate('stale-read', says(`position ${position}`));
      board.reads.checked++;
      return status === 200 ? body : undefined;
    }
    return undefined;
  }

  #nextNode(): FaultNode {
    const { nodes } = this.#parts;
    return nodes[this.#turn++ % nodes.length]!;
  }

  #mark(): string {
    return `${this.name}x${++this.#count}z`;
  }
}

/** What an answer to a change means. A 500 with the words of GeoServer's own refusals is one. */
function meaningOf(outcome: Outcome): 'done' | 'refused' | 'not-done' | 'unknown' | 'wrong' {
  if (outcome.kind === 'unreached') return 'not-done';
  if (outcome.kind === 'broken') return 'unknown';
  const { status } = outcome;
  const text = outcome.body.toString();
  if (status >= 200 && status < 300) return 'done';
  // 507: the node's disk is full.
  if (status === 503 || status === 507) return /not known/i.test(text) ? 'unknown' : 'not-done';
  if (status === 403 && text.includes('is a replica')) return 'not-done';
  if (status === 404 || status === 409) return 'refused';
  if ((status === 403 || status === 500) && text.includes('already exists')) return 'refused';
  return 'wrong';
}

function answerText(outcome: Outcome): string {
  if (outcome.kind === 'unreached') return 'nobody listens';
  if (outcome.kind === 'broken') return `no answer: ${outcome.reason} (at most ${ANSWER_MS_MAX} ms)`;
  const { status, position, body } = outcome;
  return `${status} at position ${position}${status >= 300 ? ` ${body.toString().slice(0, 300)}` : ''}`;
}
