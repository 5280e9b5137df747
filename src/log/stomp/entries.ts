import type { ContentHash, Position } from '../../tree/index.ts';

/** What is proposed for the log, in its queue. */
export type Proposal =
  /** A record, directly after a position. */
  | { readonly kind: 'append'; readonly id: string; readonly after: Position; readonly bytes: number }
  /** To go on after a snapshot that lies above the head. */
  | { readonly kind: 'skip'; readonly id: string; readonly to: Position }
  /** Asks whoever decides to say where the log stands. */
  | { readonly kind: 'check'; readonly id: string };

/**
 * What became of a proposed record: it was accepted, and has so many bytes in this batch; was accepted before, and stands at
 * `position`; or did not follow the head.
 */
export type Verdict =
  | { readonly id: string; readonly bytes: number }
  | { readonly id: string; readonly position: Position }
  | { readonly id: string; readonly head: Position };

export interface KnownNode {
  readonly name: string;
  /** `ws://` address of what it has. */
  readonly url: string;
}

/** What the topic carries, and each node gets in the same order. */
export type Entry =
  /** Verdicts, in the order of the records that were accepted: the first stands at `first`. Their bodies follow each other. */
  | { readonly kind: 'batch'; readonly epoch: number; readonly first: Position; readonly verdicts: readonly Verdict[] }
  /** From here on, somebody else decides; the records up to `head` are those of earlier epochs. */
  | { readonly kind: 'marker'; readonly epoch: number; readonly head: Position; readonly id: string }
  /** The log goes on after the snapshot at `to`; there are no records between. */
  | {
      readonly kind: 'skip';
      readonly epoch: number;
      readonly head: Position;
      readonly to: Position;
      readonly id: string;
    }
  /** Where the log stands at this place of the order: the answer to a `check`. */
  | {
      readonly kind: 'standing';
      readonly epoch: number;
      readonly head: Position;
      readonly id: string;
      readonly nodes: readonly KnownNode[];
    }
  /** Nothing; who sent it knows that he has everything before it. */
  | { readonly kind: 'barrier'; readonly id: string }
  | { readonly kind: 'trim'; readonly id: string; readonly at: Position }
  | {
      readonly kind: 'remove';
      readonly id: string;
      readonly hashes: readonly ContentHash[];
      readonly storedBefore: string;
    };

/** What the queue `standing` holds, beside the marks of those who look how it ends. */
export type Standing =
  | { readonly kind: 'standing'; readonly epoch: number; readonly head: Position }
  | { readonly kind: 'end'; readonly id: string };

/** A description of four bytes of length and JSON, then the bytes that it is about. */
export function pack(what: Proposal | Entry | Standing, ...bodies: readonly Uint8Array[]): Buffer {
  const json = Buffer.from(JSON.stringify(what));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, ...bodies]);
}

/** @throws Error  these are no bytes of ours */
export function unpack<T extends Proposal | Entry | Standing>(
  bytes: Buffer,
): { readonly what: T; readonly body: Buffer } {
  const end = 4 + (bytes.length < 4 ? Number.NaN : bytes.readUInt32BE());
  if (!(end <= bytes.length)) throw new Error('a message of another program');
  return { what: JSON.parse(bytes.toString('utf8', 4, end)) as T, body: bytes.subarray(end) };
}
