/** Life and death of drawing processes. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { until } from '../../test/waiting.ts';
import { silentLogger } from '../base/index.ts';
import { RenderError, TimeoutError } from './index.ts';
import { MapnikRenderer } from './renderer.ts';
import { point, requestOf, sourceOf, styleOf } from './testing.ts';

const folder = temporaryFolder('pool');
const open: MapnikRenderer[] = [];
after(async () => {
  await Promise.all(open.map((renderer) => renderer.close()));
});

function start(options: Partial<ConstructorParameters<typeof MapnikRenderer>[0]> = {}): MapnikRenderer {
  const renderer = new MapnikRenderer({
    children: 1,
    cacheDir: folder,
    logger: silentLogger,
    fontFolders: [],
    ...options,
  });
  open.push(renderer);
  return renderer;
}

const style = styleOf(
  '<PointSymbolizer><Graphic><Mark><WellKnownName>square</WellKnownName><Fill/></Mark><Size>6</Size></Graphic></PointSymbolizer>',
);
const small = requestOf([{ name: 'a', source: sourceOf([point(1, 1)]), style }]);
/** Takes long enough to be interrupted. */
const large = { ...small, width: 7000, height: 7000, box: [0, 0, 7000, 7000] as const };

test('a killed process is replaced, and the picture that it was at is drawn by the next', async () => {
  const renderer = start();
  await renderer.draw(small);
  const [pid] = renderer.pool.pids;
  const picture = renderer.draw({ ...large, width: 3000, height: 3000 });
  await until(() => renderer.stats().drawing === 1, 'drawing');
  process.kill(pid!, 'SIGKILL');
  assert.ok((await picture).bytes.length > 0);
  assert.notEqual(renderer.pool.pids[0], pid);
  assert.deepEqual({ ...renderer.stats() }, { children: 1, drawing: 0, waiting: 0, drawn: 2, failed: 0, restarts: 1 });
});

test('a picture over which processes die twice is given up', async () => {
  const renderer = start();
  await renderer.draw(small);
  const picture = assert.rejects(
    renderer.draw(large),
    (error) => error instanceof RenderError && /twice/.test(error.message),
  );
  for (let i = 0; i < 2; i++) {
    await until(() => renderer.stats().drawing === 1 && renderer.stats().children === 1, 'drawing');
    process.kill(renderer.pool.pids[0]!, 'SIGKILL');
    await until(() => renderer.stats().restarts === i + 1, 'a restart');
  }
  await picture;
  assert.ok((await renderer.draw(small)).bytes.length > 0, 'others are drawn on');
});

test('a picture that takes too long costs its process, and those behind it are drawn', async () => {
  const renderer = start();
  await renderer.draw(small);
  process.kill(renderer.pool.pids[0]!, 'SIGSTOP');
  const slow = renderer.draw({ ...small, timeoutMs: 200 });
  const behind = [renderer.draw(small), renderer.draw(small)];
  await assert.rejects(slow, (error) => error instanceof TimeoutError && /200 ms/.test(error.message));
  await Promise.all(behind);
  assert.equal(renderer.stats().restarts, 1);
});

test('waiting pictures can be given up, and their number is bounded', async () => {
  const renderer = start({ queueMax: 2 });
  await renderer.draw(small);
  process.kill(renderer.pool.pids[0]!, 'SIGSTOP');
  const controller = new AbortController();
  const pictures = [1, 2].map(() => renderer.draw(small));
  await until(() => renderer.stats().drawing === 2, 'drawing');
  const given = renderer.draw(small, controller.signal);
  const kept = renderer.draw(small);
  await until(() => renderer.stats().waiting === 2, 'waiting');
  await assert.rejects(renderer.draw(small), /too many maps are waiting/);
  controller.abort(new Error('the client left'));
  await assert.rejects(given, /the client left/);
  assert.equal(renderer.stats().waiting, 1);
  process.kill(renderer.pool.pids[0]!, 'SIGCONT');
  await Promise.all([...pictures, kept]);
  await assert.rejects(renderer.draw(small, AbortSignal.abort(new Error('too late'))), /too late/);
});

test('a process is replaced after many pictures, without a picture lost', async () => {
  const renderer = start({ drawsMax: 3, children: 2 });
  const pids = new Set<number>();
  for (let i = 0; i < 12; i++) {
    assert.ok((await renderer.draw(small)).bytes.length > 0);
    for (const pid of renderer.pool.pids) pids.add(pid);
  }
  assert.ok(pids.size >= 4, `${pids.size} processes`);
  assert.equal(renderer.stats().restarts, 0);
});

test('a closed renderer ends its processes and refuses', async () => {
  const renderer = start();
  await renderer.draw(small);
  const [pid] = renderer.pool.pids;
  const waiting = assert.rejects(renderer.draw(large), /closed/);
  await renderer.close();
  await waiting;
  await assert.rejects(renderer.draw(small), /closed/);
  await until(() => {
    try {
      process.kill(pid!, 0);
      return false;
    } catch {
      return true;
    }
  }, 'the end of the process');
});
