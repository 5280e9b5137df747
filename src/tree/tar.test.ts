import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { pack } from 'tar-stream';
import { readTar, type TarInput, writeTar } from './tar.ts';

const NAMES = [
  'a',
  'styles/sheet.sld',
  'Grüße/✓.xml',
  `${'folder/'.repeat(13)}just-fits`,
  `${'folder/'.repeat(20)}in-two-fields.xml`,
  `${'folder/'.repeat(60)}too-long.xml`,
  `${'x'.repeat(101)}`,
  `${'x'.repeat(156)}/y`,
  `${'x'.repeat(90)}/${'y'.repeat(100)}`,
];
const SIZES = [0, 1, 511, 512, 513, 300_000];

const files = NAMES.flatMap((name) =>
  SIZES.map((size) => ({ name: `${name}-${size}`, size, body: Buffer.alloc(size, `${name}${size}`) })),
);

async function* inputs(these: readonly TarInput[]): AsyncGenerator<TarInput> {
  yield* these;
}

const written = (these: readonly TarInput[]) => buffer(Readable.from(writeTar(inputs(these)), { objectMode: false }));

async function* inPortions(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(archive: AsyncIterable<Uint8Array>, whole = true): Promise<[string, Buffer][]> {
  const found: [string, Buffer][] = [];
  for await (const file of readTar(archive))
    found.push([file.name, whole ? await file.bytes() : await buffer(file.pieces())]);
  return found;
}

describe('an archive', () => {
  it('has the bytes that another program gives it', async () => {
    const theirs = pack();
    const bytes = buffer(theirs as unknown as Readable);
    for (const { name, size, body } of files)
      theirs.entry({ name, size, mode: 0o644, mtime: new Date(0), type: 'file' }, body);
    theirs.finalize();
    const ours = await written(files);
    assert.equal(Buffer.compare(ours, await bytes), 0);
  });

  it('is read in whatever portions it comes', async () => {
    const archive = await written(files);
    for (const size of [1000, 512, 65_536, archive.length])
      for (const whole of [true, false]) {
        const found = await read(inPortions(archive, size), whole);
        assert.deepEqual(
          found.map(([name]) => name),
          files.map(({ name }) => name),
        );
        for (const [i, [, bytes]] of found.entries()) assert.equal(Buffer.compare(bytes, files[i]!.body), 0);
      }
  });

  it('may be passed over file by file', async () => {
    const archive = await written(files);
    let count = 0;
    for await (const _ of readTar(inPortions(archive, 700))) count++;
    assert.equal(count, files.length);
  });

  it('takes bodies that come in pieces, and refuses those of another length', async () => {
    const body = (size: number) => Readable.from([Buffer.alloc(size), Buffer.alloc(1)]);
    assert.deepEqual(await read(inPortions(await written([{ name: 'a', size: 601, body: body(600) }]), 512)), [
      ['a', Buffer.alloc(601)],
    ]);
    await assert.rejects(written([{ name: 'a', size: 600, body: body(600) }]), /a has 601 bytes, not 600/);
  });

  it('writes lengths above 8 GiB', async () => {
    const size = 2 ** 33 + 5;
    const source = writeTar(inputs([{ name: 'a', size, body: Readable.from([Buffer.alloc(300_000)]) }]));
    const { value } = await source.next();
    for await (const file of readTar(inPortions(value!, 4096))) {
      assert.equal(file.size, size);
      break;
    }
    await source.return(undefined);
  });

  it('that is damaged or cut off is refused', async () => {
    const archive = await written(files.slice(0, 3));
    for (const end of [0, 511, 512, 700, archive.length - 1024])
      await assert.rejects(read(inPortions(archive.subarray(0, end), 512)), /ends early/);
    for (const at of [3, 130, 150, 156, 260]) {
      const damaged = Buffer.from(archive);
      damaged[at]! ^= 0x11;
      await assert.rejects(read(inPortions(damaged, 512)), /damaged|not a file|no size/);
    }
  });

  it('that holds a link is refused', async () => {
    const theirs = pack();
    const bytes = buffer(theirs as unknown as Readable);
    theirs.entry({ name: 'a', type: 'symlink', linkname: '/etc/passwd' });
    theirs.finalize();
    await assert.rejects(read(inPortions(await bytes, 512)), /not a file/);
  });
});
