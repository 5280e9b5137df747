/** Three servers, one of which dies: nothing that was acknowledged is lost, and there is one order. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { type Nats, natsMissing, startNats } from '../../../test/services/nats.ts';
import { contentHash, type Position, START } from '../../tree/index.ts';
import { bytesSource } from '../blob-source.ts';
import type { ChangeLog } from '../change-log.ts';
import { appendTimes, digestOf, persist, range, take, testBlob, text, until } from '../contract/testing.ts';
import { openNatsLog } from '../index.ts';
import { Link } from './link.ts';
import { namesOf } from './names.ts';
import { Streams } from './streams.ts';
import { parseNatsUrl } from './url.ts';

describe('a log on three NATS servers', { skip: natsMissing, timeout: 120_000 }, () => {
  let nats: Nats;
  const handles: ChangeLog[] = [];
  const open = (first = 0, group = 'three') => {
    const ports = nats.servers.map(({ port }) => port);
    const servers = [...ports.slice(first), ...ports.slice(0, first)].map((port) => `127.0.0.1:${port}`);
    const log = openNatsLog({
      url: `nats://${servers}`,
      group,
      name: `w${first}`,
      appendWaitMs: 3000,
      heartbeatMs: 500,
    });
    handles.push(log);
    return log;
  };

  before(async () => {
    nats = await startNats({ servers: 3 });
  });
  after(async () => {
    await Promise.all(handles.map((log) => log.close()));
    await nats?.stop();
  });

  /** The server that leads the stream. */
  async function leader(group: string): Promise<string> {
    const { port } = nats.servers[0]!;
    const place = parseNatsUrl(`nats://127.0.0.1:${port}`);
    const link = await Link.open({
      place,
      server: place.servers[0]!,
      name: 'asking',
      timeoutMs: 5000,
      heartbeatMs: 5000,
    });
    try {
      const info = await new Streams(undefined).info(link, namesOf(group).records);
      assert.equal(info.config.num_replicas, 3);
      return (info as unknown as { cluster: { leader: string } }).cluster.leader;
    } finally {
      link.terminate();
    }
  }

  it('goes on when the leader is killed amid writes, and when it comes back', async () => {
    const reader = open();
    await persist(() => reader.head());
    const blob = testBlob(2);
    await reader.putBlob(blob.hash, blob);
    const name = await leader('three');
    const killed = nats.servers.find((server) => server.name === name)!;
    const times = 150;
    let done = 0;
    const writers = [0, 1, 2, 0].map((first) => open(first));
    const writing = writers.map((writer, w) => appendTimes(writer, `w${w}`, times, () => void done++));
    await until(() => done > 100, 'the first writes', 30_000);
    await killed.kill('SIGKILL');
    await until(() => done > 300, 'writes without it', 60_000);
    await killed.restart();
    const won = (await Promise.all(writing)).flat();
    assert.equal(won.length, 4 * times);
    const head = await reader.head();
    const records = await take(reader, START, head);
    assert.deepEqual(
      records.map(({ position }) => position),
      range(1, 4 * times),
    );
    const expected = new Map(won);
    for (const record of records) assert.equal(text(record), expected.get(record.position), `at ${record.position}`);
    // Through every server, the one that was away as well.
    for (const first of [0, 1, 2]) {
      const other = open(first);
      assert.equal(await persist(() => other.head()), head);
      assert.deepEqual((await take(other, START, head)).map(text), records.map(text));
      assert.equal(await other.hasBlob(blob.hash), true);
    }
  });

  it('a blob that is put while it is removed stays', async () => {
    const [one, two] = [open(1, 'blobs'), open(2, 'blobs')];
    await Promise.all([persist(() => one.head()), persist(() => two.head())]);
    const bytes = Buffer.from('x');
    const hash = contentHash(bytes);
    for (let n = 0; n < 60; n++) {
      await one.putBlob(hash, bytesSource(bytes));
      let storedAt = '';
      for await (const batch of one.blobs()) storedAt = batch.at(-1)!.storedAt;
      const moment = Math.max(Date.parse(storedAt), Date.now()) + 1;
      await until(() => Date.now() > moment, 'the next moment');
      const both = [
        () => two.removeBlobs([hash], new Date(moment).toISOString()),
        () => one.putBlob(hash, bytesSource(bytes)),
      ];
      await Promise.all((n % 2 === 0 ? both : both.reverse()).map((run) => run()));
      assert.equal((await buffer((await two.getBlob(hash))!)).toString(), 'x');
    }
  });

  it('several may put the same blob at once, and go on with what broke off', async () => {
    const writers = [0, 1, 2].map((first) => open(first, 'blobs'));
    for (let n = 0; n < 4; n++) {
      const blob = testBlob(3, { breakAt: 1_500_000 });
      await assert.rejects(writers[0]!.putBlob(blob.hash, blob), /broke off/);
      await Promise.all(writers.map((writer) => writer.putBlob(blob.hash, blob)));
      assert.equal((await digestOf((await writers[1]!.getBlob(blob.hash))!)).hash, blob.hash);
    }
  });

  it('without a majority nothing is taken, and nothing is told from memory', async () => {
    const log = open(0, 'majority');
    const head = await persist(() => log.head());
    assert.deepEqual(await log.append(head, Buffer.from('with all')), { kind: 'appended', position: 1 });
    await Promise.all(nats.servers.slice(1).map((server) => server.kill('SIGKILL')));
    try {
      await assert.rejects(log.head());
      await assert.rejects(log.append(1 as Position, Buffer.from('alone')));
    } finally {
      await Promise.all(nats.servers.slice(1).map((server) => server.restart()));
    }
    await until(
      () =>
        log.head().then(
          (now) => now >= 1,
          () => false,
        ),
      'a majority',
      60_000,
    );
    const bytes = Buffer.from('afterwards');
    await persist(() => log.putBlob(contentHash(bytes), bytesSource(bytes)));
    assert.equal(await persist(() => log.hasBlob(contentHash(bytes))), true);
  });
});
