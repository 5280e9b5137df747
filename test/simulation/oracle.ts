import type { ChangeLog } from '../../src/log/index.ts';
import { type Digest, decodeRecord, type FileOperation, type Position, Tree } from '../../src/tree/index.ts';

/** Folders of the workload whose files have rules; see `workload.ts`. */
export const FOLDERS = { marks: 'marks', once: 'once', toggle: 'toggle' } as const;

interface Version {
  readonly from: Position;
  readonly text: string | undefined;
}

/**
 * What is true: the records of the log, applied one after the other to a tree of its own, and at each of them the rules that no
 * cluster may break. Nodes and clients are compared with it.
 */
export class Oracle {
  readonly #tree = new Tree();
  readonly #digests = new Map<Position, Digest>();
  /** Digests that nodes had at positions which have not been read here yet. */
  readonly #claims = new Map<Position, { readonly who: string; readonly digest: Digest }>();
  readonly #versions = new Map<string, Version[]>();
  readonly #onProblem: (problem: Error) => void;
  #waiting: { readonly position: Position; check(): void }[] = [];

  constructor(onProblem: (problem: Error) => void) {
    this.#onProblem = onProblem;
  }

  get position(): Position {
    return this.#tree.position;
  }

  get digest(): Digest {
    return this.#tree.digest;
  }

  /** The tree as it is at the end of the log; contents only of files that are not long. */
  get tree(): Tree {
    return this.#tree;
  }

  async follow(log: ChangeLog): Promise<void> {
    try {
      for await (const batch of log.read(0 as Position, new AbortController().signal))
        for (const { position, body } of batch) this.#apply(position, body);
    } catch (error) {
      this.#problem(`the log cannot be read: ${error instanceof Error ? error.stack : error}`);
    }
  }

  /** A node says that its tree has this digest at this position. */
  compare(who: string, position: Position, digest: Digest): void {
    const known = this.#digests.get(position);
    if (known === undefined) {
      const claim = this.#claims.get(position);
      if (claim === undefined) this.#claims.set(position, { who, digest });
      else if (claim.digest !== digest) this.#problem(`${who} and ${claim.who} differ at position ${position}`);
    } else if (known !== digest)
      this.#problem(
        `${who} has digest ${digest.slice(0, 8)} at position ${position}, and the log ${known.slice(0, 8)}`,
      );
  }

  /** Runs a check once the log has been read up to a position. */
  at(position: Position, check: () => void): void {
    if (position <= this.position) check();
    else this.#waiting.push({ position, check });
  }

  /** Checks that wait for records which are not in the log. */
  get unchecked(): number {
    return this.#waiting.length;
  }

  /** The text of a file of one of the folders with rules, as of a position that has been read. */
  textAt(path: string, position: Position): string | undefined {
    return this.#versions.get(path)?.findLast(({ from }) => from <= position)?.text;
  }

  /** Whether a file was there, or was not, at some moment between two positions, both included. */
  wasEver(path: string, there: boolean, from: Position, to: Position): boolean {
    if ((this.textAt(path, from) !== undefined) === there) return true;
    const versions = this.#versions.get(path) ?? [];
    return versions.some((one) => one.from > from && one.from <= to && (one.text !== undefined) === there);
  }

  /** All texts that a file ever had. */
  history(path: string): readonly Version[] {
    return this.#versions.get(path) ?? [];
  }

  paths(folder: string): string[] {
    return [...this.#versions.keys()].filter((path) => path.startsWith(`${folder}/`));
  }

  #apply(position: Position, body: Uint8Array): void {
    const record = decodeRecord(body);
    const operations = record.kind === 'changes' ? record.changes.flatMap((change) => change.operations) : [];
    for (const operation of operations) this.#note(position, operation);
    this.#tree.apply(position, operations);
    this.#digests.set(position, this.digest);
    if (record.digest !== this.digest)
      this.#problem(`the record at ${position} says another digest than its files have`);
    const claim = this.#claims.get(position);
    this.#claims.delete(position);
    if (claim !== undefined) this.compare(claim.who, position, claim.digest);
    const due = this.#waiting.filter((one) => one.position <= position);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => one.position > position);
    for (const { check } of due) check();
  }

  #note(position: Position, operation: FileOperation): void {
    if (operation.kind === 'move') return;
    const { path } = operation;
    const folder = path.slice(0, path.indexOf('/'));
    if (!(folder in FOLDERS)) return;
    const content = operation.kind === 'put' ? operation.content : undefined;
    if (content?.kind === 'blob') throw new Error(`${path} has become long`);
    const text = content && Buffer.from(content.bytes).toString();
    const versions = this.#versions.get(path) ?? [];
    this.#versions.set(path, versions);
    const before = versions.at(-1)?.text;
    versions.push({ from: position, text });
    if (folder === FOLDERS.marks) this.#checkMarks(path, position, before, text);
    if (folder === FOLDERS.once && before !== undefined) this.#problem(`${path} was made again at ${position}`);
    if (folder === FOLDERS.toggle && (before === undefined) === (text === undefined))
      this.#problem(`${path} was ${text === undefined ? 'removed' : 'made'} twice; the second time at ${position}`);
  }

  /** Marks are added at the end, each once. */
  #checkMarks(path: string, position: Position, before: string | undefined, after: string | undefined): void {
    if (after === undefined) this.#problem(`${path} is gone at ${position}`);
    const [old, now] = [marksIn(before), marksIn(after)];
    const lost = old.filter((mark, i) => now[i] !== mark);
    if (lost.length > 0) this.#problem(`${path} has lost ${lost} at ${position}`);
    const added = now.slice(old.length);
    const twice = added.filter((mark, i) => old.includes(mark) || added.indexOf(mark) !== i);
    if (twice.length > 0) this.#problem(`${path} has ${twice} twice at ${position}`);
  }

  #problem(text: string): void {
    this.#onProblem(new Error(text));
  }
}

export function marksIn(text: string | undefined): readonly string[] {
  return text ? text.split(' ') : [];
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString();
}
