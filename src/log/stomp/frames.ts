/**
 * Frames of STOMP 1.2. The library for it, `@stomp/stompjs`, takes bodies apart byte by byte, about 0.1 s of the process for each
 * megabyte of a record; this reader leaves them as they come.
 *
 * @see https://stomp.github.io/stomp-specification-1.2.html
 */

export type Headers = Readonly<Record<string, string>>;

export interface Frame {
  readonly command: string;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** What cannot be a frame. */
export class FrameError extends Error {}

const HEAD_BYTES_MAX = 64 * 1024;
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\r': '\\r', '\n': '\\n', ':': '\\c' };
const PLAIN: Readonly<Record<string, string>> = { '\\\\': '\\', '\\r': '\r', '\\n': '\n', '\\c': ':' };

export function encodeFrame(command: string, headers: Headers, body: Uint8Array = EMPTY): Buffer {
  // The frames by which both sides agree on the version have no escapes.
  const escaped = command === 'CONNECT' ? (text: string) => text : escapeText;
  let head = `${command}\n`;
  for (const [name, value] of Object.entries(headers)) head += `${escaped(name)}:${escaped(value)}\n`;
  if (body.length > 0) head += `content-length:${body.length}\n`;
  return Buffer.concat([Buffer.from(`${head}\n`), body, Buffer.of(0)]);
}

/** Takes what comes from a connection apart. */
export class FrameReader {
  /** What is not a whole frame yet, while its head is incomplete. */
  #rest: Buffer = EMPTY;
  /** A frame whose body is coming. */
  #open: { readonly frame: Omit<Frame, 'body'>; readonly parts: Buffer[]; missing: number } | undefined;

  /** @throws FrameError */
  *take(data: Buffer): IterableIterator<Frame> {
    let chunk = data;
    while (chunk.length > 0) {
      if (this.#open !== undefined) {
        const part = chunk.subarray(0, this.#open.missing);
        this.#open.parts.push(part);
        this.#open.missing -= part.length;
        chunk = chunk.subarray(part.length);
        if (this.#open.missing > 0) return;
        const { frame, parts } = this.#open;
        this.#open = undefined;
        const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
        if (whole.at(-1) !== 0) throw new FrameError('a frame does not end where it says');
        yield { ...frame, body: whole.subarray(0, -1) };
        continue;
      }
      const head: Buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      this.#rest = EMPTY;
      let start = 0;
      // Line ends between frames are signs of life.
      while (start < head.length && (head[start] === LF || head[start] === CR || head[start] === 0)) start++;
      const end = endOfHead(head, start);
      if (end < 0) {
        if (head.length - start > HEAD_BYTES_MAX) throw new FrameError('the head of a frame does not end');
        this.#rest = Buffer.from(head.subarray(start));
        return;
      }
      const frame = headOf(head.toString('utf8', start, end));
      chunk = head.subarray(end);
      const length = frame.headers['content-length'];
      if (length === undefined) {
        const zero = chunk.indexOf(0);
        if (zero < 0) {
          if (chunk.length > HEAD_BYTES_MAX) throw new FrameError('a frame without a length does not end');
          this.#rest = Buffer.from(head.subarray(start));
          return;
        }
        yield { ...frame, body: Buffer.from(chunk.subarray(0, zero)) };
        chunk = chunk.subarray(zero + 1);
        continue;
      }
      const bytes = Number(length);
      if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > BODY_BYTES_MAX)
        throw new FrameError(`a frame says that it has ${length.slice(0, 20)} bytes`);
      this.#open = { frame, parts: [], missing: bytes + 1 };
    }
  }
}

/** Where the body begins; -1 when that has not come. */
function endOfHead(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

function headOf(text: string): Omit<Frame, 'body'> {
  const [command = '', ...lines] = text.split(/\r?\n/);
  const headers: Record<string, string> = Object.create(null);
  const plain = command === 'CONNECTED' || !text.includes('\\') ? (each: string) => each : unescapeText;
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    // Of headers that are there twice, the first counts.
    headers[plain(line.slice(0, colon))] ??= plain(line.slice(colon + 1));
  }
  return { command, headers };
}

function escapeText(text: string): string {
  return text.replace(/[\\\r\n:]/g, (each) => ESCAPES[each]!);
}

function unescapeText(text: string): string {
  return text.replace(/\\[\\rnc]/g, (each) => PLAIN[each]!);
}
