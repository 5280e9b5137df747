/*
 * The part of the tar format (POSIX.1-2001, "pax") that a snapshot needs: plain files, one after the other. Whole archives of ten
 * thousands of small files go through here, so a file costs no stream of its own.
 */

const BLOCK = 512;
/** Small pieces are gathered to so many bytes before they are given on. */
const GATHER_BYTES = 256 * 1024;
const PAX_BYTES_MAX = 64 * 1024;
const NAME_BYTES_MAX = 100;
const PREFIX_BYTES_MAX = 155;
const FILE = 0x30;
const OLD_FILE = 0;
const PAX = 0x78;
/** Where fields stand in a header, and how long they are. */
const SIZE_AT = 124;
const SUM_AT = 148;
const TYPE_AT = 156;
const MAGIC_AT = 257;
const PREFIX_AT = 345;
const OCTAL_SIZE_MAX = 0o77777777777;

/** A file for an archive; its body has exactly so many bytes. */
export interface TarInput {
  readonly name: string;
  readonly size: number;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
}

/** A file in an archive. */
export interface TarFile {
  readonly name: string;
  readonly size: number;
  /** All bytes at once; it or `pieces` may be asked for once, before the next file is. */
  bytes(): Promise<Buffer> | Buffer;
  /** The bytes piece by piece. */
  pieces(): AsyncGenerator<Buffer>;
}

/** An archive of files in their order; times, owners and modes are constant. */
export async function* writeTar(files: AsyncIterable<TarInput>): AsyncGenerator<Buffer> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  const take = (piece: Uint8Array): boolean => {
    gathered.push(piece);
    bytes += piece.length;
    return bytes >= GATHER_BYTES;
  };
  const give = (): Buffer => {
    const whole = Buffer.concat(gathered, bytes);
    gathered = [];
    bytes = 0;
    return whole;
  };
  for await (const { name, size, body } of files) {
    for (const header of headersOf(name, size)) take(header);
    let written = 0;
    if (body instanceof Uint8Array) {
      written = body.length;
      if (take(body)) yield give();
    } else
      for await (const piece of body) {
        written += piece.length;
        if (take(piece)) yield give();
      }
    if (written !== size) throw new Error(`${name} has ${written} bytes, not ${size}`);
    take(ZEROS.subarray(0, paddingOf(size)));
  }
  take(ZEROS);
  yield give();
}

const ZEROS = Buffer.alloc(2 * BLOCK);

const paddingOf = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

function headersOf(name: string, size: number): Buffer[] {
  const [prefix, rest] = split(name) ?? [];
  if (rest !== undefined) return [headerOf({ prefix, name: rest, size, type: FILE })];
  const pax = Buffer.from(withLength(` path=${name}\n`));
  return [
    headerOf({ name: 'PaxHeader', size: pax.length, type: PAX }),
    pax,
    ZEROS.subarray(0, paddingOf(pax.length)),
    headerOf({ name: 'PaxHeader', size, type: FILE }),
  ];
}

/** A name as its two fields; undefined when it does not fit. */
function split(name: string): readonly [prefix: string, name: string] | undefined {
  if (Buffer.byteLength(name) !== name.length) return undefined;
  let slash = -1;
  while (name.length - slash - 1 > NAME_BYTES_MAX) {
    slash = name.indexOf('/', slash + 1);
    if (slash < 0) return undefined;
  }
  return slash > PREFIX_BYTES_MAX ? undefined : [name.slice(0, Math.max(0, slash)), name.slice(slash + 1)];
}

/** The length that a pax line begins with counts itself. */
function withLength(line: string): string {
  const length = Buffer.byteLength(line);
  let digits = String(length).length;
  if (String(length + digits).length > digits) digits++;
  return length + digits + line;
}

/** What is the same in all headers: mode 644, owner 0, time 0, ustar. */
const TEMPLATE = Buffer.alloc(BLOCK);
TEMPLATE.write('000644 \0', 100, 'latin1');
TEMPLATE.write('000000 \0', 108, 'latin1');
TEMPLATE.write('000000 \0', 116, 'latin1');
TEMPLATE.write('00000000000 ', 136, 'latin1');
TEMPLATE.write('ustar\x0000', MAGIC_AT, 'latin1');
TEMPLATE.write('000000 ', 329, 'latin1');
TEMPLATE.write('000000 ', 337, 'latin1');

function headerOf(of: { prefix?: string | undefined; name: string; size: number; type: number }): Buffer {
  const header = Buffer.from(TEMPLATE);
  header.write(of.name, 0, 'latin1');
  if (of.prefix) header.write(of.prefix, PREFIX_AT, 'latin1');
  if (of.size <= OCTAL_SIZE_MAX) header.write(`${of.size.toString(8).padStart(11, '0')} `, SIZE_AT, 'latin1');
  else {
    header[SIZE_AT] = 0x80;
    header.writeUIntBE(of.size, SIZE_AT + 6, 6);
  }
  header[TYPE_AT] = of.type;
  header.write(`${checksum(header).toString(8).padStart(6, '0')} `, SUM_AT, 'latin1');
  return header;
}

/** Sum of a header's bytes, those of the sum itself taken as spaces. */
function checksum(header: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < SUM_AT; i++) sum += header[i]!;
  for (let i = SUM_AT + 8; i < BLOCK; i++) sum += header[i]!;
  return sum;
}

/**
 * The files of an archive, in order; reads the archive to its end.
 * @throws Error  it is damaged, ends early, or holds something that is not a file
 */
export async function* readTar(archive: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  const input = new Input(archive);
  try {
    for (let path: string | undefined; ; ) {
      const header = await input.take(BLOCK);
      if (isZero(header)) break;
      const sum = octal(header, SUM_AT, 8);
      if (sum !== checksum(header) || header.toString('latin1', MAGIC_AT, MAGIC_AT + 5) !== 'ustar')
        throw new Error('a header of the archive is damaged');
      const size = sizeOf(header);
      const type = header[TYPE_AT]!;
      if (type === PAX && size <= PAX_BYTES_MAX) {
        path = pathOfPax(await input.take(size));
        await input.skip(paddingOf(size));
        continue;
      }
      const name = path ?? nameOf(header);
      path = undefined;
      if (type !== FILE && type !== OLD_FILE) throw new Error(`${name} in the archive is not a file`);
      const end = input.position + size;
      yield { name, size, bytes: () => input.take(size), pieces: () => input.pieces(size) };
      await input.skip(end + paddingOf(size) - input.position);
    }
    await input.drain();
  } finally {
    await input.close();
  }
}

function nameOf(header: Buffer): string {
  const prefix = text(header, PREFIX_AT, PREFIX_BYTES_MAX);
  const name = text(header, 0, NAME_BYTES_MAX);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function text(header: Buffer, at: number, bytesMax: number): string {
  const end = header.indexOf(0, at);
  return header.toString('utf8', at, end < 0 ? at + bytesMax : Math.min(end, at + bytesMax));
}

function sizeOf(header: Buffer): number {
  const size = header[SIZE_AT] === 0x80 ? header.readUIntBE(SIZE_AT + 6, 6) : octal(header, SIZE_AT, 12);
  if (!Number.isSafeInteger(size) || size < 0) throw new Error('a header of the archive gives no size');
  return size;
}

function octal(header: Buffer, at: number, length: number): number {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(header.toString('latin1', at, at + length));
  return digits === null ? Number.NaN : Number.parseInt(digits[1]!, 8);
}

/** Of the lines of a pax header the one with the path; others say what a snapshot does not hold. */
function pathOfPax(bytes: Buffer): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? 0 : Number(bytes.toString('latin1', at, space));
    if (!(length > 0) || at + length > bytes.length) throw new Error('a name in the archive is damaged');
    const line = bytes.toString('utf8', space + 1, at + length - 1);
    if (line.startsWith('path=')) path = line.slice('path='.length);
    else if (line.startsWith('size='))
      throw new Error('a size in the archive is given in a way that is not understood');
    at += length;
  }
  return path;
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(ZEROS.subarray(0, BLOCK));
}

/** Bytes of an archive, taken in portions; what is here already costs no wait. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Bytes taken or passed over so far. */
  position = 0;

  constructor(archive: AsyncIterable<Uint8Array>) {
    this.#chunks = archive[Symbol.asyncIterator]();
  }

  take(count: number): Buffer | Promise<Buffer> {
    if (count <= this.#chunk.length - this.#at) return this.#cut(count);
    return this.#gather(count);
  }

  async #gather(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const piece of this.pieces(count)) parts.push(piece);
    return Buffer.concat(parts, count);
  }

  async *pieces(count: number): AsyncGenerator<Buffer> {
    for (let missing = count; missing > 0; ) {
      if (this.#at === this.#chunk.length) await this.#fill();
      const piece = this.#cut(Math.min(missing, this.#chunk.length - this.#at));
      missing -= piece.length;
      yield piece;
    }
  }

  async skip(count: number): Promise<void> {
    for (let missing = count; missing > 0; ) {
      if (this.#at === this.#chunk.length) await this.#fill();
      missing -= this.#cut(Math.min(missing, this.#chunk.length - this.#at)).length;
    }
  }

  /** What comes after the end is not looked at; but the source may still find that it is damaged. */
  async drain(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  #cut(count: number): Buffer {
    const piece = this.#chunk.subarray(this.#at, this.#at + count);
    this.#at += count;
    this.position += count;
    return piece;
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done) throw new Error('the archive ends early');
    this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.#at = 0;
  }
}
