import type { LinkEnd } from '../../base/index.ts';

/** The first that is heard of a log's thread. */
export type Opening =
  | { readonly kind: 'opened'; readonly head: number; readonly trimmed: number }
  | { readonly kind: 'unusable'; readonly message: string };

export interface Append {
  readonly after: number;
  readonly body: Uint8Array;
}

/** What the thread is asked, one at a time. */
export type Request =
  /** Those that wait together, and share one file sync. */
  | { readonly kind: 'append'; readonly appends: readonly Append[] }
  | { readonly kind: 'load'; readonly after: number; readonly bytesMax: number; readonly recordsMax: number }
  | { readonly kind: 'trim'; readonly upTo: number }
  /** For a thread that is not the only one to write. */
  | { readonly kind: 'head' }
  | { readonly kind: 'close' };

export type Outcome =
  | { readonly kind: 'appended'; readonly position: number }
  | { readonly kind: 'head-moved'; readonly head: number };

export type Reply =
  /** One for each append. */
  | { readonly kind: 'outcomes'; readonly outcomes: readonly Outcome[] }
  | {
      readonly kind: 'loaded';
      readonly records: readonly { readonly position: number; readonly body: Uint8Array }[];
    }
  | { readonly kind: 'trimmed'; readonly trimmed: number }
  | { readonly kind: 'head'; readonly head: number }
  /** `uncertain`: it may have been done. `isOver`: somebody else may have the log now. */
  | {
      readonly kind: 'failed';
      readonly message: string;
      readonly uncertain: boolean;
      readonly isOver: boolean;
    }
  | { readonly kind: 'done' };

/** What the thread is given at its start. */
export interface ThreadData {
  /** Of the records; made when missing. */
  readonly folder: string;
  /** Term in which this process may write; absent: it alone writes there. */
  readonly term: number | undefined;
  /** File that is there as long as the term goes on. */
  readonly token: string | undefined;
  /** A database whose records are to be taken over, if it is there. */
  readonly former: string | undefined;
  readonly link: LinkEnd;
}

/** The memory that records of a reply are in. */
export function buffersOf(records: readonly { readonly body: Uint8Array }[]): ArrayBuffer[] {
  return [...new Set(records.map(({ body }) => body.buffer as ArrayBuffer))];
}
