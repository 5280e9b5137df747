/** Files of hundreds of megabytes, on their way through a cluster of real processes. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { TcpProxy } from '../faults/proxy.ts';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { ADMIN, nodeState, rest, TestNode, workspaceXml } from './harness.ts';

const MIB = 1024 * 1024;
const LARGE = 300 * MIB;
/** Long enough for a connection to be cut in the middle. */
const CUT = 150 * MIB;
const MORE = ['--upload-bytes-max', '2G'];

/** A GeoTIFF of one strip of 8-bit samples in no order that could be compressed; as wide as it is long. */
function* geoTiff(bytes: number, seed: number): Generator<Buffer> {
  const side = Math.floor(Math.sqrt(bytes));
  const entries: [tag: number, type: number, count: number, value: number][] = [];
  const extra: Buffer[] = [];
  let at = 8 + 2 + 15 * 12 + 4;
  const doubles = (tag: number, values: number[]) => {
    entries.push([tag, 12, values.length, at]);
    const bytes = Buffer.alloc(values.length * 8);
    values.forEach((value, i) => void bytes.writeDoubleLE(value, i * 8));
    extra.push(bytes);
    at += bytes.length;
  };
  const one = (tag: number, value: number, type = 4) => entries.push([tag, type, 1, value]);
  one(256, side);
  one(257, side);
  one(258, 8, 3);
  one(259, 1, 3);
  one(262, 1, 3);
  const strip: [number, number, number, number] = [273, 4, 1, 0];
  entries.push(strip);
  one(277, 1, 3);
  one(278, side);
  one(279, side * side);
  doubles(33550, [1 / side, 1 / side, 0]);
  doubles(33922, [0, 0, 0, 5, 50, 0]);
  entries.push([34735, 3, 16, at]);
  const keys = Buffer.alloc(32);
  [1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326].forEach((key, i) => void keys.writeUInt16LE(key, i * 2));
  extra.push(keys);
  at += keys.length;
  strip[3] = at;
  const head = Buffer.alloc(8 + 2 + 15 * 12 + 4);
  head.write('II*\0', 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(entries.length, 8);
  entries.forEach(([tag, type, count, value], i) => {
    const place = 10 + i * 12;
    head.writeUInt16LE(tag, place);
    head.writeUInt16LE(type, place + 2);
    head.writeUInt32LE(count, place + 4);
    head.writeUInt32LE(value, place + 8);
  });
  yield Buffer.concat([head, ...extra]);
  for (let left = side * side, n = 0; left > 0; n++) {
    const piece = Buffer.alloc(Math.min(MIB, left), `${seed}:${n}:`);
    yield piece;
    left -= piece.length;
  }
}

async function sha256(body: AsyncIterable<Uint8Array>): Promise<string> {
  const digest = createHash('sha256');
  for await (const piece of body) digest.update(piece);
  return digest.digest('hex');
}

const memoryOf = (node: TestNode, what: 'VmRSS' | 'VmHWM') =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${node.program.process.pid}/status`, 'utf8'))![1]) *
  1024;

function upload(node: TestNode, resource: string, body: AsyncIterable<Uint8Array>): Promise<Response> {
  return fetch(`${node.url}/rest${resource}`, {
    method: 'PUT',
    headers: { authorization: ADMIN, 'content-type': 'image/tiff' },
    body: Readable.toWeb(Readable.from(body, { objectMode: false })) as never,
    duplex: 'half',
    signal: AbortSignal.timeout(120_000),
  } as RequestInit);
}

const leftOf = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

function nothingLeft(node: TestNode): Promise<void> {
  return eventually(() => {
    for (const folder of ['cluster/blobs', 'cluster/uploads', 'cluster/log/incoming'])
      assert.deepEqual(leftOf(path.join(node.dataDir, folder)), [], `${node.name}: ${folder}`);
  }, 15_000);
}

function placed(node: TestNode, file: string, hash: string, timeoutMs = 60_000): Promise<void> {
  return eventually(async () => {
    const place = path.join(node.dataDir, file);
    assert.ok(existsSync(place), `${node.name} does not have ${file} yet:\n${node.program.output.slice(-2000)}`);
    assert.equal(await sha256(createReadStream(place)), hash, node.name);
  }, timeoutMs);
}

describe('a file of 300 MB', { timeout: 300_000 }, () => {
  const folder = temporaryFolder('e2e');
  let one: TestNode;
  let two: TestNode;
  let proxy: TcpProxy;

  before(async () => {
    const port = await adjacentPorts(2);
    one = await new TestNode({ folder, name: 'one', port, more: MORE }).ready();
    proxy = await TcpProxy.open({ host: 'localhost', port });
    two = await new TestNode({ folder, name: 'two', port: port + 1, logPort: proxy.port, more: MORE }).ready();
    assert.equal((await rest(one.url, 'POST', '/workspaces', workspaceXml('large'))).status, 201);
  });
  after(async () => {
    await Promise.all([one?.stop(), two?.stop()]);
    await proxy?.close();
  });

  it('is taken in with little memory, while others write, and arrives at every node', async (t) => {
    const hash = await sha256(Readable.from(geoTiff(LARGE, 1)));
    const rssBefore = [memoryOf(one, 'VmRSS'), memoryOf(two, 'VmRSS')];
    let done = false;
    const uploading = upload(
      one,
      '/workspaces/large/coveragestores/big/file.geotiff',
      Readable.from(geoTiff(LARGE, 1)),
    );
    uploading.finally(() => {
      done = true;
    });
    const tookMs: number[] = [];
    for (let n = 0; !done; n++) {
      const begun = performance.now();
      const answer = await rest(one.url, 'PUT', `/resource/small/${n % 5}.txt`, `${n}`, 'text/plain');
      assert.equal(answer.status, 201, await answer.text());
      tookMs.push(performance.now() - begun);
    }
    const answer = await uploading;
    assert.equal(answer.status, 201, await answer.text());
    tookMs.sort((a, b) => a - b);
    const at = (share: number) => Math.round(tookMs[Math.floor((tookMs.length - 1) * share)]!);
    t.diagnostic(
      `${tookMs.length} small changes meanwhile: median ${at(0.5)} ms, 95% ${at(0.95)} ms, longest ${at(1)} ms`,
    );
    assert.ok(tookMs.length >= 5, `only ${tookMs.length} small changes while the upload went on`);
    await Promise.all([one, two].map((node) => placed(node, 'data/large/big/big.geotiff', hash)));
    for (const [i, node] of [one, two].entries()) {
      const grown = Math.round((memoryOf(node, 'VmHWM') - rssBefore[i]!) / MIB);
      t.diagnostic(`${node.name}: at most ${grown} MiB more memory than before`);
      assert.ok(grown < 200, `${node.name} took ${grown} MiB more`);
      await nothingLeft(node);
    }
    const read = await rest(two.url, 'GET', '/resource/data/large/big/big.geotiff');
    assert.equal(read.headers.get('content-length'), String(await sizeOf(1)));
    assert.equal(await sha256(read.body as never), hash);
    const states = await Promise.all([nodeState(one.url), nodeState(two.url)]);
    assert.equal(states[0]!.digest, states[1]!.digest);
  });

  it('goes on where it was when the connection to the log is cut, up and down', async () => {
    const hash = await sha256(Readable.from(geoTiff(CUT, 2)));
    const incoming = path.join(one.dataDir, 'cluster/log/incoming');
    const uploading = upload(two, '/resource/data/up.bin', Readable.from(geoTiff(CUT, 2)));
    await eventually(() => assert.notDeepEqual(leftOf(incoming), []), 60_000);
    proxy.cut();
    const answer = await uploading;
    assert.equal(answer.status, 201, await answer.text());
    await placed(one, 'data/up.bin', hash);

    const other = await sha256(Readable.from(geoTiff(CUT, 3)));
    const sending = upload(one, '/resource/data/down.bin', Readable.from(geoTiff(CUT, 3)));
    await eventually(
      () => assert.ok(leftOf(path.join(two.dataDir, 'cluster/blobs')).some((name) => name.endsWith('.part'))),
      60_000,
    );
    proxy.cut();
    const sent = await sending;
    assert.equal(sent.status, 201, await sent.text());
    await placed(two, 'data/down.bin', other);
    await Promise.all([nothingLeft(one), nothingLeft(two)]);
  });

  it('is there, or answered clearly, when the node that holds the log is killed in the middle', async () => {
    const hash = await sha256(Readable.from(geoTiff(CUT, 4)));
    const incoming = path.join(one.dataDir, 'cluster/log/incoming');
    const uploading = upload(two, '/resource/data/killed.bin', Readable.from(geoTiff(CUT, 4)));
    await eventually(() => assert.notDeepEqual(leftOf(incoming), []), 60_000);
    await one.kill();
    await one.restart();
    const answer = await uploading;
    const text = await answer.text();
    assert.ok(answer.status === 201 || answer.status === 503, `${answer.status} ${text}`);
    if (answer.status === 503) {
      assert.match(text, /log/);
      const again = await eventually(async () => {
        const response = await upload(two, '/resource/data/killed.bin', Readable.from(geoTiff(CUT, 4)));
        assert.equal(response.status, 201, await response.text());
        return response;
      }, 60_000);
      assert.equal(again.status, 201);
    }
    await Promise.all([one, two].map((node) => placed(node, 'data/killed.bin', hash)));
    await Promise.all([nothingLeft(one), nothingLeft(two)]);
  });

  it('that is damaged in the log is refused and named, and taken once it has been put again', async () => {
    const file = path.join(folder, 'damaged');
    await pipeline(Readable.from(geoTiff(20 * MIB, 5)), createWriteStream(file));
    const hash = await sha256(createReadStream(file));
    await two.stop();
    const sent = await upload(one, '/resource/data/damaged.bin', createReadStream(file));
    assert.equal(sent.status, 201, await sent.text());
    const blob = path.join(one.dataDir, 'cluster/log/blobs', hash.slice(0, 2), hash);
    const handle = openSync(blob, 'r+');
    writeSync(handle, Buffer.from('x'), 0, 1, 10 * MIB);
    closeSync(handle);
    two = await two.restart();
    await eventually(async () => {
      const health = await (await fetch(two.url.replace('/geoserver', '/health/ready'))).text();
      assert.match(health, new RegExp(hash));
    }, 30_000);
    assert.ok(!existsSync(path.join(two.dataDir, 'data/damaged.bin')));
    const again = await upload(one, '/resource/data/damaged-again.bin', createReadStream(file));
    assert.equal(again.status, 201, await again.text());
    await placed(two, 'data/damaged.bin', hash);
    await Promise.all([nothingLeft(one), nothingLeft(two)]);
  });
});

async function sizeOf(seed: number): Promise<number> {
  let size = 0;
  for (const piece of geoTiff(LARGE, seed)) size += piece.length;
  return size;
}
