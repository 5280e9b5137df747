/** Somebody who changes files in a data directory with an editor, and then asks the node to reload. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Board } from './board.ts';
import { RestConnections } from './http.ts';
import { Knowledge, markIn } from './ledger.ts';
import type { FaultNode } from './node.ts';
import { fileContent } from './objects.ts';
import type { Random } from './random.ts';

/** Folder of the files that are edited by hand, and by nobody else. */
export const HAND_FOLDER = 'faults-by-hand';
/** An edit is made over a file that has been on this node's disk for so long. */
const SETTLED_MS = 3000;

interface HandFile {
  readonly name: string;
  readonly known: Knowledge;
  readonly node: string;
  editedMs: number;
}

export class HandEdits {
  readonly #board: Board;
  readonly #connections = new RestConnections();
  readonly #files: HandFile[] = [];
  #count = 0;

  constructor(board: Board) {
    this.#board = board;
  }

  async edit(node: FaultNode, random: Random): Promise<void> {
    const board = this.#board;
    const old = this.#files.filter(
      (file) =>
        file.node === node.name &&
        file.known.isCertain &&
        file.known.settled !== undefined &&
        board.nowMs - file.editedMs > SETTLED_MS &&
        existsSync(this.#place(node, file.name)),
    );
    const isOld = old.length > 0 && random.chance(0.6);
    const id = `k0x${++this.#count}z`;
    const file = isOld
      ? random.pick(old)
      : { name: `hand-${this.#count}.txt`, known: new Knowledge(), node: node.name, editedMs: 0 };
    const leaves = isOld && random.chance(0.4) ? undefined : id;
    const startedMs = board.nowMs;
    const place = this.#place(node, file.name);
    const before = existsSync(place) ? readFileSync(place) : undefined;
    if (leaves === undefined) rmSync(place);
    else {
      mkdirSync(path.dirname(place), { recursive: true });
      writeFileSync(`${place}.tmp`, fileContent(id));
      renameSync(`${place}.tmp`, place);
    }
    const outcome = await this.#connections.ask(node.url, { method: 'POST', path: '/reload' }, 30_000);
    const is200 = outcome.kind === 'answer' && outcome.status === 200;
    if (is200 && node.role === 'replica') {
      const now = existsSync(place) ? readFileSync(place) : undefined;
      if (now === undefined ? before !== undefined : before === undefined || !now.equals(before))
        board.violate(
          'not-undone',
          `${node.name} is a replica, and ${file.name}, edited there by hand, was not undone`,
        );
    }
    const answer = outcome.kind === 'answer' ? `${outcome.status}` : outcome.kind;
    file.known.take({
      ...{ client: 'hand', id, what: `edits ${file.name}`, request: 'POST /reload', trace: '', key: undefined, leaves },
      attempts: [{ node: node.name, startedMs, endedMs: board.nowMs, answer }],
      ...{ startedMs, after: board.acked },
      verdict: node.role === 'replica' ? (is200 ? 'not-done' : 'unknown') : is200 ? 'done' : 'unknown',
    });
    file.editedMs = board.nowMs;
    board.tell({ handEdit: file.name, node: node.name, id, leaves, answer });
    if (!isOld) this.#files.push(file);
    if (outcome.kind === 'answer' && outcome.status !== 200 && outcome.status !== 503)
      board.violate('wrong-answer', `reload of ${node.name}: ${answer} ${outcome.body.toString().slice(0, 300)}`);
  }

  /** Once all nodes are in step: an edit that no reload has taken is still only on its node's disk, so they are asked again. */
  async reloadAll(nodes: readonly FaultNode[]): Promise<void> {
    const left = new Set(this.#files.filter((file) => !file.known.isCertain).map((file) => file.node));
    for (const node of nodes.filter(({ name }) => left.has(name))) {
      const outcome = await this.#connections.ask(node.url, { method: 'POST', path: '/reload' }, 60_000);
      if (outcome.kind !== 'answer' || outcome.status !== 200)
        this.#board.violate(
          'not-recovered',
          `the files of ${node.name} cannot be reloaded: ${JSON.stringify(outcome)}`,
        );
    }
  }

  /** Once all nodes are in step: every edit that was answered is there. */
  async readAll(node: FaultNode): Promise<void> {
    for (const file of this.#files) {
      const outcome = await this.#connections.ask(node.url, {
        method: 'GET',
        path: `/resource/${HAND_FOLDER}/${file.name}`,
      });
      const isAnswer = outcome.kind === 'answer' && (outcome.status === 200 || outcome.status === 404);
      const mark = isAnswer && outcome.status === 200 ? markIn(outcome.body) : undefined;
      if (!isAnswer || !file.known.observe(mark))
        this.#board.violate(
          'lost',
          `${file.name}, edited by hand on ${file.node} at ${file.editedMs} ms, should be ${file.known.possible.join(' or ')} and is ${mark}`,
        );
    }
    this.#connections.close();
  }

  #place(node: FaultNode, name: string): string {
    return path.join(node.parts.dataDir, HAND_FOLDER, name);
  }
}
