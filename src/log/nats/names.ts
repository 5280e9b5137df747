import type { ContentHash, Position } from '../../tree/index.ts';

/** The streams and subjects of one group's log. */
export interface Names {
  /** Stream whose sequence numbers are the positions. */
  readonly records: string;
  /** The only subject of that stream. */
  readonly record: string;
  /** Stream with what is too large for one message, and what says that it is whole. */
  readonly bodies: string;
  /** All subjects of that stream. */
  readonly body: string;
  /** For messages to that stream that are always refused. */
  readonly barrier: string;
  /** Signs of life; kept nowhere. */
  readonly alive: string;
  /** What says that a blob is there, or that it was removed. */
  blob(hash: ContentHash | '*'): string;
  /** What says that a snapshot is there. */
  snapshot(at: Position | '*'): string;
  /** The parts of a body, numbered from 0. */
  part(body: BodyName | '*.*', number: number | '*'): string;
}

/** Whose bytes these are, and which upload of them: two words without dots or wildcards. */
export type BodyName = `${string}.${string}`;

/** @param group  any text: what a subject cannot hold is written in hexadecimal */
export function namesOf(group: string): Names {
  const word = [...Buffer.from(group)]
    .map((byte) => (/[A-Za-z0-9-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `_${hex(byte)}`))
    .join('');
  const prefix = `graticule.${word}`;
  return {
    records: `graticule-${word}-records`,
    record: `${prefix}.record`,
    bodies: `graticule-${word}-bodies`,
    body: `${prefix}.body.>`,
    barrier: `${prefix}.body.barrier`,
    alive: `${prefix}.alive`,
    blob: (hash) => `${prefix}.body.blob.${hash}`,
    snapshot: (at) => `${prefix}.body.snapshot.${at}`,
    part: (body, number) => `${prefix}.body.part.${body}.${number}`,
  };
}

/** The last word of a subject. */
export function lastWord(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
