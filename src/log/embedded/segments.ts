import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import {
  decodeHeader,
  encodeFrame,
  encodeHeader,
  FRAME_BYTES,
  FURTHER_RECORD,
  frameAt,
  HEADER_BYTES,
  isWrittenBehind,
  RECORD,
  TRIMMED,
} from './segment.ts';

/** A segment is ended when it is longer: trimming removes whole ones. */
const SEGMENT_BYTES = 32 * 1024 * 1024;
/** A trim ends the segment that is written when it is longer. */
const TRIM_BYTES = 1024 * 1024;
/** Zeros are written in advance, so that a sync need not write the file's length as well: it takes half as long. */
const ZEROS = Buffer.alloc(1024 * 1024);
const NAME = /^(\d{12})-(\d{6})\.seg$/;

interface Segment {
  readonly name: string;
  readonly first: number;
  /** Where the frame of each record begins; absent: nobody has asked yet. */
  offsets?: number[];
  /** Where its frames end. */
  end: number;
}

/** The term is over: somebody else may have read, and begun to write. */
export class FencedError extends Error {
  constructor() {
    super('another broker is active by now');
    this.name = 'FencedError';
  }
}

/**
 * The records of a log, in a folder that others may write to as well: somebody whose term is over, and does not know it yet. Each term
 * writes to segments of its own. A segment begins where the log ended when its term read it, and whatever an earlier term adds from there on
 * does not count; so what is acknowledged must be on the disk, and the term found to go on after that.
 *
 * For a thread of its own: everything is done before it returns.
 */
export class Segments {
  readonly #folder: string;
  readonly #term: number;
  readonly #isCurrent: () => boolean;
  /** In order; the last is the one that is written. */
  #segments: Segment[] = [];
  #file: number;
  #allocated = HEADER_BYTES;
  #head: number;
  #trimmed: number;
  /** Why it is not known what the disk has of the last write. */
  #broken: BrokenError | undefined;

  /** A term that nobody has written in. */
  static nextTerm(folder: string): number {
    return Math.max(0, ...(existsSync(folder) ? segmentsIn(folder).map(termOf) : [])) + 1;
  }

  /** @throws FencedError */
  constructor(folder: string, term: number, isCurrent: () => boolean) {
    this.#folder = folder;
    this.#term = term;
    this.#isCurrent = isCurrent;
    makeFolder(folder);
    // First: who has changed a folder on a network drive forgets what he remembered of it, and then sees what is there.
    const { name, file } = this.#create();
    this.#file = file;
    try {
      // Whoever has a later one knows.
      this.check();
      const later = segmentsIn(folder).find((each) => termOf(each) > term);
      if (later !== undefined)
        throw new Error(
          `${folder} has the segment ${later} of a later term than ${term}: somebody else has written there, or the terms were put back from a copy`,
        );
      const found = this.#found(name);
      const last = found.at(-1);
      this.#trimmed = found.reduce((most, { trimmed }) => Math.max(most, trimmed), 0);
      this.#head = this.#trimmed;
      if (last !== undefined) {
        const { offsets, trimmed } = this.#scan(last, true);
        this.#sync(last);
        this.#trimmed = Math.max(this.#trimmed, trimmed);
        this.#head = Math.max(this.#trimmed, last.first - 1 + offsets.length);
      }
      this.#begin(file);
      this.#segments = [...found, this.#segmentHere(name)];
      this.check();
    } catch (error) {
      closeSync(file);
      rmSync(path.join(folder, name), { force: true });
      throw error;
    }
  }

  get head(): number {
    return this.#head;
  }

  get trimmed(): number {
    return this.#trimmed;
  }

  /** Whether this is the log still. @throws FencedError */
  check(): void {
    if (!this.#isCurrent()) throw new FencedError();
  }

  /**
   * Adds records behind the head; they are on the disk when it returns. When it throws anything but the following, nothing was written.
   *
   * @throws FencedError  it is not known whether they count
   * @throws BrokenError  it is not known, and nothing more can be written before `recover`
   */
  append(bodies: readonly Uint8Array[]): void {
    const { first, offsets } = this.#segments.at(-1)!;
    if (first + offsets!.length <= this.#head) this.#goOn();
    const segment = this.#segments.at(-1)!;
    const frames = bodies.map((body, index) =>
      encodeFrame(index === 0 ? RECORD : FURTHER_RECORD, this.#head + 1 + index, body),
    );
    const begin = segment.end;
    this.#write(frames);
    this.#stand();
    let at = begin;
    for (const frame of frames) {
      segment.offsets!.push(at);
      at += frame.length;
    }
    this.#head += bodies.length;
    if (segment.end > SEGMENT_BYTES) this.#roll();
  }

  /** After a BrokenError, for who alone writes: what was not acknowledged is removed. @throws BrokenError  it still cannot be */
  recover(): void {
    if (this.#broken !== undefined) this.#takeBack(this.#segments.at(-1)!.end, this.#broken.cause as Error);
  }

  /** Some of the records after a position, which is not trimmed. */
  load(
    after: number,
    recordsMax: number,
    bytesMax: number,
  ): { readonly position: number; readonly body: Uint8Array }[] {
    if (after >= this.#head) return [];
    const index = this.#segments.findLastIndex(({ first }) => first <= after + 1);
    const segment = this.#segments[index];
    if (segment === undefined) throw new Error(`the records after position ${after} are gone from ${this.#folder}`);
    const offsets = segment.offsets ?? this.#scan(segment).offsets;
    const next = this.#segments[index + 1]?.first ?? this.#head + 1;
    const from = after + 1 - segment.first;
    const most = Math.min(next - segment.first, offsets.length, from + recordsMax);
    if (from >= most)
      throw new Error(`the segment ${segment.name} in ${this.#folder} is damaged behind position ${after}`);
    let to = from + 1;
    const endOf = (record: number) => offsets[record + 1] ?? segment.end;
    while (to < most && endOf(to) - offsets[from]! <= bytesMax) to++;
    const buffer = this.#read(segment.name, offsets[from]!, endOf(to - 1));
    const records: { position: number; body: Uint8Array }[] = [];
    for (let at = 0; at < buffer.length; ) {
      const frame = frameAt(buffer, at);
      if (frame === undefined)
        throw new Error(`the segment ${segment.name} in ${this.#folder} is damaged behind position ${after}`);
      // What follows the head was not acknowledged.
      if (frame.kind !== TRIMMED && frame.position <= this.#head)
        records.push({ position: frame.position, body: buffer.subarray(frame.start, frame.end) });
      at = frame.end;
    }
    return records;
  }

  /** Makes a trim known, durable when it returns, and removes the segments that have no other records. */
  trim(upTo: number): void {
    if (upTo <= this.#trimmed) return;
    this.#write([encodeFrame(TRIMMED, upTo, new Uint8Array(0))]);
    this.#trimmed = upTo;
    this.#stand();
    // A copy of another log goes on behind that one's snapshot.
    this.#head = Math.max(this.#head, upTo);
    if (this.#segments.at(-1)!.end > TRIM_BYTES) this.#roll();
    while (this.#segments.length > 1 && this.#segments[1]!.first <= upTo + 1)
      rmSync(path.join(this.#folder, this.#segments.shift()!.name), { force: true });
  }

  close(): void {
    try {
      // Whoever follows may have counted what this one takes for nothing.
      if (this.#broken === undefined && this.#isCurrent()) ftruncateSync(this.#file, this.#segments.at(-1)!.end);
    } finally {
      closeSync(this.#file);
    }
  }

  // ---- files

  /** The segments of others that count, in order; what they end with is not known yet. */
  #found(own: string): (Segment & { readonly trimmed: number })[] {
    const names = segmentsIn(this.#folder)
      .filter((name) => name !== own)
      .sort()
      .reverse();
    const found: (Segment & { readonly trimmed: number })[] = [];
    // From the last to the first: one that does not begin before the next does not count.
    let limit = Number.POSITIVE_INFINITY;
    for (const [index, name] of names.entries()) {
      const header = decodeHeader(this.#read(name, 0, HEADER_BYTES));
      if (header === undefined && this.#read(name, 0, HEADER_BYTES + 1).length > HEADER_BYTES)
        throw new Error(`the segment ${name} in ${this.#folder} is damaged at its beginning`);
      // A term that could not go on in a new segment has gone on in the one before.
      const isLeftOver = this.#isEmpty(name) && names[index + 1]?.slice(0, 12) === name.slice(0, 12);
      if (header !== undefined && header.first < limit && !isLeftOver) {
        limit = header.first;
        found.push({ name, ...header, end: 0 });
      } else if (termOf(name) < this.#term) rmSync(path.join(this.#folder, name), { force: true });
    }
    return found.reverse();
  }

  /** Whether nothing was ever written behind its header. */
  #isEmpty(name: string): boolean {
    return this.#read(name, HEADER_BYTES, HEADER_BYTES + FRAME_BYTES).every((byte) => byte === 0);
  }

  /** What was written counts from now on, so it must last, whether whoever wrote it saw to that or not. */
  #sync({ name }: Segment): void {
    const file = openSync(path.join(this.#folder, name), 'r');
    try {
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /**
   * Finds the frames of a segment.
   * @throws Error  `isLast`: what ends it was not left by a crash
   */
  #scan(segment: Segment, isLast = false): { readonly offsets: number[]; readonly trimmed: number } {
    const buffer = this.#read(segment.name, 0, Number.POSITIVE_INFINITY);
    const offsets: number[] = [];
    let trimmed = 0;
    let at = HEADER_BYTES;
    for (let frame = frameAt(buffer, at); frame !== undefined; frame = frameAt(buffer, at)) {
      if (frame.kind === TRIMMED) trimmed = Math.max(trimmed, frame.position);
      else if (frame.position !== segment.first + offsets.length) break;
      else offsets.push(at);
      at = frame.end;
    }
    const next = segment.first + offsets.length;
    if (isLast && isWrittenBehind(buffer, at, next))
      throw new Error(
        `the segment ${segment.name} in ${this.#folder} is damaged behind position ${next - 1}, and records that were acknowledged follow: put the folder back from a copy, or begin a new log with a node that has them`,
      );
    segment.offsets = offsets;
    segment.end = at;
    return { offsets, trimmed };
  }

  #create(): { readonly name: string; readonly file: number } {
    for (let number = 0; ; number++) {
      const name = `${String(this.#term).padStart(12, '0')}-${String(number).padStart(6, '0')}.seg`;
      try {
        return { name, file: openSync(path.join(this.#folder, name), 'wx') };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /** Makes a file that was just made a segment that begins at the head. */
  #begin(file: number): void {
    const header = encodeHeader({ first: this.#head + 1, trimmed: this.#trimmed });
    writeWhole(file, header, 0);
    fsyncSync(file);
    syncNames(this.#folder);
  }

  #segmentHere(name: string): Segment {
    return { name, first: this.#head + 1, offsets: [], end: HEADER_BYTES };
  }

  /** Goes on in a new segment, or, when there is no room for one, at the next append. */
  #roll(): void {
    try {
      this.#goOn();
    } catch {
      // What was written before is written.
    }
  }

  #goOn(): void {
    const { name, file } = this.#create();
    try {
      this.#begin(file);
    } catch (error) {
      closeSync(file);
      rmSync(path.join(this.#folder, name), { force: true });
      throw error;
    }
    const former = this.#file;
    this.#file = file;
    const { end } = this.#segments.at(-1)!;
    this.#allocated = HEADER_BYTES;
    this.#segments.push(this.#segmentHere(name));
    try {
      ftruncateSync(former, end);
    } finally {
      closeSync(former);
    }
  }

  /** What was just written counts. @throws FencedError, BrokenError  that is not known */
  #stand(): void {
    try {
      this.check();
    } catch (error) {
      throw error instanceof FencedError ? error : new BrokenError(error as Error);
    }
  }

  #write(frames: readonly Buffer[]): void {
    const segment = this.#segments.at(-1)!;
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    try {
      const end = segment.end + bytes.length;
      if (end > this.#allocated) this.#advance(end);
      writeWhole(this.#file, bytes, segment.end);
      fdatasyncSync(this.#file);
      segment.end = end;
    } catch (error) {
      this.#takeBack(segment.end, error as Error);
      throw error;
    }
  }

  /** Writes zeros behind what is about to be written. */
  #advance(end: number): void {
    this.#allocated = end;
    try {
      writeWhole(this.#file, ZEROS, end);
      this.#allocated += ZEROS.length;
    } catch {
      // A disk that is nearly full may have room for the record all the same, or for a trim.
    }
  }

  /** After a write that failed. @throws FencedError, BrokenError  what it left behind is not, or cannot be, removed */
  #takeBack(end: number, cause: Error): void {
    try {
      this.check();
      ftruncateSync(this.#file, end);
      fsyncSync(this.#file);
      this.#allocated = end;
      this.#broken = undefined;
    } catch (error) {
      this.#broken = new BrokenError(cause);
      throw error instanceof FencedError ? error : this.#broken;
    }
  }

  #read(name: string, from: number, to: number): Buffer {
    const file = openSync(path.join(this.#folder, name), 'r');
    try {
      const end = Math.min(to, fstatSync(file).size);
      // Memory of its own, which can be handed to another thread.
      const buffer = Buffer.allocUnsafeSlow(Math.max(0, end - from));
      let length = 0;
      while (length < buffer.length) {
        const read = readSync(file, buffer, length, buffer.length - length, from + length);
        if (read === 0) break;
        length += read;
      }
      return buffer.subarray(0, length);
    } finally {
      closeSync(file);
    }
  }
}

function segmentsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => NAME.test(name));
}

function termOf(name: string): number {
  return Number(name.slice(0, 12));
}

/** A write failed, and what it left behind cannot be removed. */
export class BrokenError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = 'BrokenError';
  }
}

/** Durable when it returns, with those above it that were not there. */
function makeFolder(folder: string): void {
  const made = mkdirSync(folder, { recursive: true });
  if (made === undefined) return;
  for (let at = folder; at.length >= made.length; at = path.dirname(at)) syncNames(path.dirname(at));
}

/** So that the names in a folder last. */
function syncNames(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function writeWhole(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}
