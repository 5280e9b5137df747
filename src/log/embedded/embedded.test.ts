import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { systemClock, UnavailableError } from '../../base/index.ts';
import { contentHash, type Position, START } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { testBlob } from '../contract/testing.ts';
import { logContract, until } from '../contract.ts';
import { LogInUseError } from '../errors.ts';
import { bytesSource, isLogFolder, openEmbeddedLog } from '../index.ts';

const dir = mkdtempSync(`${tmpdir()}/log-`);
after(() => rmSync(dir, { recursive: true }));
let folders = 0;
const newFolder = () => `${dir}/${++folders}`;

logContract(
  'the embedded log',
  async () => {
    const folder = newFolder();
    let log: ChangeLog = await openEmbeddedLog({ folder, peerTtlMs: 150 });
    let second: ChangeLog | undefined;
    return {
      open: async () => log,
      beside: async () => {
        second = await openEmbeddedLog({ folder: newFolder() });
        return second;
      },
      restart: async () => {
        await log.close();
        log = await openEmbeddedLog({ folder, peerTtlMs: 150 });
      },
      dispose: async () => {
        await log.close();
        await second?.close();
      },
    };
  },
  { peerTtlMs: 150, troubles: ['restart'] },
);

describe('an embedded log', () => {
  it('that is open elsewhere is refused, and the folder named', async () => {
    const folder = newFolder();
    const log = await openEmbeddedLog({ folder });
    await assert.rejects(openEmbeddedLog({ folder, waitMs: 10 }), (error) => {
      assert.ok(error instanceof LogInUseError);
      assert.ok(error.message.includes(folder));
      return true;
    });
    await log.append(START, Buffer.from('still works'));
    await log.close();
  });

  it('can be taken over when the process that had it is killed, with all that it had acknowledged', async () => {
    const folder = newFolder();
    const child = fork(new URL('./appender.fixture.ts', import.meta.url), [folder]);
    let acknowledged = 0;
    await new Promise<void>((resolve) => {
      child.on('message', (position) => {
        acknowledged = position as number;
        if (acknowledged === 100) child.kill('SIGKILL');
      });
      child.on('exit', () => resolve());
    });
    const log = await openEmbeddedLog({ folder });
    const head = await log.head();
    assert.ok(head >= acknowledged && acknowledged >= 100);
    for await (const batch of log.read((head - 1) as Position, new AbortController().signal)) {
      assert.equal(Buffer.from(batch[0]!.body).toString(), `record ${head}`);
      break;
    }
    await log.close();
  });

  it('gives the space of trimmed records back, while appends go on', async () => {
    const folder = newFolder();
    const log = await openEmbeddedLog({ folder });
    const count = 3000;
    const bytes = Buffer.alloc(5000, 'x');
    for (let n = 0; n < count; n += 500)
      await Promise.all(Array.from({ length: 500 }, (_, i) => log.append((n + i) as Position, bytes)));
    const trim = async (upTo: number) => {
      await log.putSnapshot(upTo as Position, Readable.from(['x']));
      await log.trim(upTo as Position);
    };
    await trim(count - 10);
    for (let n = 0; n < 20; n++) await log.append((count + n) as Position, Buffer.from('small'));
    const records = [];
    for await (const batch of log.read((count - 10) as Position, AbortSignal.timeout(5000))) {
      records.push(...batch);
      if (records.length >= 10) break;
    }
    assert.deepEqual(records[0], { position: count - 9, body: bytes });
    // Whole files go: when nothing in them is needed any more.
    await trim(count + 10);
    const files = readdirSync(`${folder}/records`).map((name) => statSync(`${folder}/records/${name}`).size);
    assert.ok(Math.max(...files) < 2_000_000, `${files}`);
    assert.equal(await log.head(), count + 20);
    await log.close();
  });

  it('continues an upload after a restart, and forgets one that nobody continues', async () => {
    const folder = newFolder();
    const clock = { ...systemClock, now: () => Date.now() };
    const broken = testBlob(3, { breakAt: 2_000_000 });
    let log = await openEmbeddedLog({ folder, clock });
    await assert.rejects(log.putBlob(broken.hash, broken));
    const abandoned = testBlob(3, { breakAt: 2_000_000 });
    await assert.rejects(log.putBlob(abandoned.hash, abandoned));
    await log.close();
    log = await openEmbeddedLog({ folder, clock });
    await log.putBlob(broken.hash, broken);
    assert.deepEqual(broken.opened, [0, 2_000_000]);
    assert.deepEqual(readdirSync(`${folder}/incoming`), [abandoned.hash]);
    await log.close();
    // A week later.
    clock.now = () => Date.now() + 7 * 24 * 3600 * 1000;
    log = await openEmbeddedLog({ folder, clock });
    await until(() => readdirSync(`${folder}/incoming`).length === 0, 'it to be forgotten');
    assert.equal(await log.hasBlob(broken.hash), true);
    await log.close();
  });

  it('gives an upload that does not move any more up for another one', async () => {
    const log = await openEmbeddedLog({ folder: newFolder() });
    const bytes = randomBytes(2_000_000);
    const hash = contentHash(bytes);
    const begun = Promise.withResolvers<void>();
    async function* halted() {
      yield bytes.subarray(0, 1_000_000);
      begun.resolve();
      await new Promise(() => {});
    }
    const halting = assert.rejects(
      log.putBlob(hash, { size: bytes.length, open: () => Readable.from(halted(), { objectMode: false }) }),
      /nothing came any more/,
    );
    await begun.promise;
    const opened: number[] = [];
    const { size, open } = bytesSource(bytes);
    const watched = (from: number) => {
      opened.push(from);
      return open(from);
    };
    await log.putBlob(hash, { size, open: watched });
    await halting;
    assert.deepEqual(opened, [1_000_000]);
    await log.close();
  });

  it('takes over the records of version 0.1.0, once, also when that was interrupted', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const file = `${folder}/log.sqlite`;
    const make = () => {
      const database = new DatabaseSync(file);
      database.exec('CREATE TABLE records (position INTEGER PRIMARY KEY, body BLOB NOT NULL)');
      database.exec('CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID');
      const insert = database.prepare('INSERT INTO records VALUES (?, ?)');
      for (let position = 1; position <= 1200; position++) insert.run(position, Buffer.from(`record ${position}`));
      database.exec("INSERT INTO numbers VALUES ('trimmed', 40); PRAGMA user_version = 1");
      database.close();
    };
    const check = async () => {
      const log = await openEmbeddedLog({ folder });
      assert.deepEqual([await log.trimmed(), await log.head()], [40, 1200]);
      let position = 40;
      for await (const batch of log.read(40 as Position, AbortSignal.timeout(5000))) {
        for (const { body } of batch) assert.equal(Buffer.from(body).toString(), `record ${++position}`);
        if (position === 1200) break;
      }
      await log.close();
    };
    make();
    assert.equal(isLogFolder(folder), true);
    await check();
    assert.deepEqual(existsSync(file), false);
    // As if it had ended before the database was put aside.
    renameSync(`${file}.former`, file);
    await check();
    await check();
  });

  it('that cannot be opened leaves nothing behind, and can be opened when it can', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(`${folder}/snapshots`, 'no folder');
    await assert.rejects(openEmbeddedLog({ folder }), { code: 'log-unusable' });
    rmSync(`${folder}/snapshots`);
    const log = await openEmbeddedLog({ folder });
    assert.deepEqual(await log.append(START, Buffer.from('x')), { kind: 'appended', position: 1 });
    await log.close();
  });

  it('says which folder cannot be used, and why', async () => {
    writeFileSync(`${dir}/file`, '');
    await assert.rejects(openEmbeddedLog({ folder: `${dir}/file/x` }), (error) => {
      assert.ok(error instanceof UnavailableError);
      assert.ok(error.message.includes(`${dir}/file/x`));
      return true;
    });
    const folder = newFolder();
    await (await openEmbeddedLog({ folder })).close();
    const [segment] = readdirSync(`${folder}/records`);
    writeFileSync(`${folder}/records/${segment}`, 'this is no segment, and too long for one that was just begun');
    await assert.rejects(openEmbeddedLog({ folder }), /cannot be opened.*damaged at its beginning/);
  });
});
