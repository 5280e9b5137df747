/**
 * Finds the features of a FeatureCollection in its bytes, without parsing all of it: strings and brackets are followed, and
 * what lies between is handed on for `JSON.parse`. Fed with the file piece by piece, so it may be of any size.
 */
export interface ScanEvents {
  /** One element of the root's `features`. Offsets are from the start of the file; the bytes are good during the call. */
  feature(bytes: Uint8Array, offset: number): void;
  /** Another member of the root, but `features`: its raw JSON. Long ones are not reported. */
  member(name: string, json: string): void;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Members such as `crs` and `name` are short; what is longer is not looked at. */
const MEMBER_BYTES_MAX = 64 * 1024;

export class FeatureScanner {
  readonly #events: ScanEvents;
  #offset = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** Depth 1: name of the member that is being read. */
  #member: string | undefined;
  #inFeatures = false;
  /** What is being collected: a key or a value at depth 1, or a feature. */
  #taking: 'key' | 'value' | 'feature' | undefined;
  #takenFrom = 0;
  #pieces: Uint8Array[] = [];

  constructor(events: ScanEvents) {
    this.#events = events;
  }

  push(chunk: Uint8Array): void {
    let start = 0; // in the chunk, of what is being taken
    const begin = (what: 'key' | 'value' | 'feature', at: number) => {
      this.#taking = what;
      this.#takenFrom = this.#offset + at;
      this.#pieces = [];
      start = at;
    };
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) {
          this.#inString = false;
          if (this.#taking === 'key') this.#end(chunk, start, i + 1);
        }
        continue;
      }
      switch (byte) {
        case QUOTE:
          this.#inString = true;
          if (this.#depth === 1 && this.#member === undefined) begin('key', i);
          break;
        case COLON:
          if (this.#depth === 1 && this.#member !== undefined && this.#member !== 'features') begin('value', i + 1);
          break;
        case OPEN_OBJECT:
        case OPEN_ARRAY:
          if (this.#depth === 1 && this.#member === 'features' && byte === OPEN_ARRAY) this.#inFeatures = true;
          if (this.#depth === 2 && this.#inFeatures && byte === OPEN_OBJECT) begin('feature', i);
          this.#depth++;
          break;
        case CLOSE_OBJECT:
        case CLOSE_ARRAY:
          this.#depth--;
          if (this.#depth === 2 && this.#taking === 'feature') this.#end(chunk, start, i + 1);
          else if (this.#depth === 1 && this.#inFeatures) this.#inFeatures = false;
          else if (this.#depth === 0 && this.#taking === 'value') this.#end(chunk, start, i);
          break;
        case COMMA:
          if (this.#depth !== 1) break;
          if (this.#taking === 'value') this.#end(chunk, start, i);
          this.#member = undefined;
          break;
      }
    }
    if (this.#taking !== undefined) this.#keep(chunk.subarray(start));
    this.#offset += chunk.length;
  }

  #keep(piece: Uint8Array): void {
    const isTooLong =
      this.#taking !== 'feature' && this.#pieces.reduce((sum, p) => sum + p.length, 0) > MEMBER_BYTES_MAX;
    if (!isTooLong) this.#pieces.push(piece.slice());
  }

  #end(chunk: Uint8Array, start: number, end: number): void {
    const last = chunk.subarray(start, end);
    const bytes = this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]);
    const what = this.#taking;
    this.#taking = undefined;
    this.#pieces = [];
    if (what === 'feature') this.#events.feature(bytes, this.#takenFrom);
    else if (what === 'key') this.#member = JSON.parse(Buffer.from(bytes).toString()) as string;
    else if (bytes.length <= MEMBER_BYTES_MAX)
      this.#events.member(this.#member ?? '', Buffer.from(bytes).toString().trim());
  }
}
