/** What the log's thread and its owner tell each other, each message a list of these. */
export type Request =
  | { readonly kind: 'append'; readonly id: number; readonly after: number; readonly body: Uint8Array }
  | {
      readonly kind: 'load';
      readonly id: number;
      readonly after: number;
      readonly bytesMax: number;
      readonly recordsMax: number;
    }
  | { readonly kind: 'trim'; readonly id: number; readonly upTo: number }
  /** For a thread that is not the only one to write. */
  | { readonly kind: 'head'; readonly id: number }
  | { readonly kind: 'close'; readonly id: number };

export type Reply =
  | { readonly kind: 'opened'; readonly head: number; readonly trimmed: number }
  | { readonly kind: 'in-use' }
  | { readonly kind: 'unusable'; readonly message: string }
  | { readonly kind: 'appended'; readonly id: number; readonly position: number }
  | { readonly kind: 'head-moved'; readonly id: number; readonly head: number }
  | {
      readonly kind: 'loaded';
      readonly id: number;
      readonly records: readonly { readonly position: number; readonly body: Uint8Array }[];
    }
  | { readonly kind: 'trimmed'; readonly id: number; readonly trimmed: number }
  | { readonly kind: 'head'; readonly id: number; readonly head: number }
  /** `uncertain`: it may have been done; `head` tells whether anything was. `isOver`: somebody else has the log now. */
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly message: string;
      readonly uncertain: boolean;
      readonly head: number;
      readonly isOver?: boolean;
    }
  | { readonly kind: 'done'; readonly id: number };

/** What is passed to the thread at its start. */
export interface WorkerData {
  /** The database file; its folder exists. */
  readonly file: string;
  /** How long to wait for another process that has the file open. */
  readonly waitMs: number;
}
