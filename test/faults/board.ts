/** What everybody in a run shares: the clock, the counters, what went wrong, and the history of all operations. */
import { appendFileSync } from 'node:fs';
import type { Operation, Verdict } from './ledger.ts';

/** Something that must not happen. */
export interface Violation {
  /** `lost`, `stale-read`, `done-twice`, ... */
  readonly kind: string;
  readonly text: string;
  readonly atMs: number;
}

export interface Recovery {
  readonly fault: string;
  readonly node: string;
  readonly tookMs: number;
}

const VIOLATIONS_MAX = 100;

export class Board {
  readonly #startedMs = performance.now();
  readonly #historyFile: string;
  #failed = new AbortController();
  readonly operations: Operation[] = [];
  readonly violations: Violation[] = [];
  readonly verdicts: Record<Verdict, number> = { done: 0, refused: 0, 'not-done': 0, unknown: 0 };
  /** Answers to reads: fresh ones, and none. */
  readonly reads = { checked: 0, unanswered: 0 };
  readonly ogc = { answered: 0, whileLogAway: 0 };
  readonly faults = new Map<string, number>();
  /** Who has made what all clients want to make. */
  readonly races = new Map<string, Operation>();
  readonly recoveries: Recovery[] = [];
  /** When a server of the log was killed. */
  readonly killsMs: number[] = [];
  /** Events at level error in the nodes' logs, and a few others. */
  readonly events = new Map<string, number>();
  /** Highest position that anybody was told of in the answer to a change. */
  acked = 0;
  /** By client, the longest time between two of its changes that succeeded. */
  readonly longestWaitMs = new Map<string, number>();
  #historyLines: string[] = [];

  constructor(historyFile: string) {
    this.#historyFile = historyFile;
  }

  get nowMs(): number {
    return Math.round(performance.now() - this.#startedMs);
  }

  /** Aborted at the first violation. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  violate(kind: string, text: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push({ kind, text, atMs: this.nowMs });
    this.tell({ violation: kind, text });
    this.#failed.abort();
  }

  finished(operation: Operation): void {
    this.operations.push(operation);
    this.verdicts[operation.verdict]++;
    if (operation.verdict === 'done') this.acked = Math.max(this.acked, operation.position ?? 0);
    this.tell({ operation });
  }

  fault(kind: string, node: string, facts: Record<string, unknown> = {}): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
    this.tell({ fault: kind, node, ...facts });
  }

  event(name: string): void {
    this.events.set(name, (this.events.get(name) ?? 0) + 1);
  }

  /** A line in the history of the run. */
  tell(facts: Record<string, unknown>): void {
    this.#historyLines.push(JSON.stringify({ atMs: this.nowMs, at: new Date().toISOString(), ...facts }));
    if (this.#historyLines.length >= 200) this.flush();
  }

  flush(): void {
    if (this.#historyLines.length > 0) appendFileSync(this.#historyFile, `${this.#historyLines.join('\n')}\n`);
    this.#historyLines = [];
  }
}

/** An operation for people: who, what, when, what each node answered. */
export function story(operation: Operation): string {
  const { client, id, what, request, key, verdict, position } = operation;
  const attempts = operation.attempts.map(
    ({ node, startedMs, endedMs, answer }) => `    at ${startedMs} to ${endedMs} ms, ${node}: ${answer}`,
  );
  const head = `${client} ${what} (${request}, mark ${id}${key === undefined ? '' : `, key ${key}`}): ${verdict}`;
  return [`${head}${position === undefined ? '' : ` at position ${position}`}`, ...attempts].join('\n');
}
