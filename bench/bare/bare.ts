/** An engine driven by its own client, with nothing of a log around it: what its driver is compared with. */
export interface Bare {
  /** Makes so many records durable, all asked for at once. */
  append(body: Uint8Array, count: number): Promise<void>;
  /** Readers with a connection each, that get what is appended from now on. Absent: the engine lets in one process. */
  follow?(readers: number, onRecords: OnRecords): Promise<Following>;
  /** Reads so many of the records on a new connection; those that are missing are appended before. @returns how long it took, ms */
  replay(count: number): Promise<number>;
  close(): Promise<void>;
}

/** A reader, counted from 0, has got so many more records. */
export type OnRecords = (reader: number, count: number) => void;

export interface Following {
  /** Makes one record durable, and wakes the readers. */
  append(body: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Appends what is missing, so many at once. */
export async function fill(bare: Bare, missing: number, atOnce: number): Promise<void> {
  const body = new Uint8Array(2048);
  for (let left = missing; left > 0; left -= atOnce) await bare.append(body, Math.min(left, atOnce));
}
