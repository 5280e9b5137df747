/**
 * What a client knows of its objects. Nobody else changes them, so that each answer, and each thing read, is either allowed by
 * what the client was told before, or a violation.
 */

/** The mark of the operation that an object's content comes from; undefined: there is no such object. */
export type Mark = string | undefined;

/** One request of a client, possibly sent several times. */
export interface Operation {
  readonly client: string;
  /** Unique in the run: `k3x17z`. */
  readonly id: string;
  readonly what: string;
  /** Method and path. */
  readonly request: string;
  /** Of all its attempts; the record of the change carries it. */
  readonly trace: string;
  readonly key: string | undefined;
  /** What the object is afterwards. */
  readonly leaves: Mark;
  readonly attempts: Attempt[];
  /** Milliseconds since the run began. */
  readonly startedMs: number;
  /** The highest position that anybody had been told of then. */
  readonly after: number;
  verdict: Verdict;
  /** Where it stands in the log, as answered. */
  position?: number;
}

/**
 * `done`: 2xx; `refused`: 4xx, by who knew; `not-done`: everybody who was asked said that nothing was done; `unknown`: at
 * least one attempt may have been done, now or later, and none was answered.
 */
export type Verdict = 'done' | 'refused' | 'not-done' | 'unknown';

export interface Attempt {
  readonly node: string;
  /** Milliseconds since the run began. */
  readonly startedMs: number;
  readonly endedMs: number;
  /** The status, or why there is none. */
  readonly answer: string;
}

/** What is known of one object. */
export class Knowledge {
  /** What was last confirmed. */
  #settled: Mark;
  /** Operations that may take effect at any time, at most once each. */
  readonly #pending: Operation[] = [];

  constructor(settled?: Mark) {
    this.#settled = settled;
  }

  get settled(): Mark {
    return this.#settled;
  }

  get isCertain(): boolean {
    return this.#pending.length === 0;
  }

  get possible(): readonly Mark[] {
    return [this.#settled, ...this.#pending.map(({ leaves }) => leaves)];
  }

  /** An answer has come, or none will: takes in the outcome of an operation. */
  take(operation: Operation): void {
    if (operation.verdict === 'done') this.#settled = operation.leaves;
    else if (operation.verdict === 'unknown') this.#pending.push(operation);
  }

  /** Takes in what was read. @returns whether it can be */
  observe(mark: Mark): boolean {
    if (mark === this.#settled) return true;
    const index = this.#pending.findIndex(({ leaves }) => leaves === mark);
    if (index < 0) return false;
    this.#settled = mark;
    this.#pending.splice(index, 1);
    return true;
  }

  /** Whether an answer that says that the object is there, is not, or is not under the name last known, can be true. */
  allows(presence: 'present' | 'absent' | 'elsewhere'): boolean {
    if (presence === 'elsewhere') return !this.isCertain;
    return this.possible.some((mark) => (mark !== undefined) === (presence === 'present'));
  }
}

export const MARK = /k\d+x\d+z/g;

/** The mark in a content; undefined when there is none. */
export function markIn(content: Buffer | string): string | undefined {
  return content.toString('latin1' as never).match(MARK)?.[0];
}
