import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, describe, it } from 'node:test';
import { UnavailableError } from '../../base/index.ts';
import { type Position, START } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { logContract } from '../contract.ts';
import { LogInUseError, openEmbeddedLog } from '../index.ts';

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
    const child = fork(new URL('./appender.fixture.ts', import.meta.url), [folder], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
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

  it('says which folder cannot be used, and why', async () => {
    writeFileSync(`${dir}/file`, '');
    await assert.rejects(openEmbeddedLog({ folder: `${dir}/file/x` }), (error) => {
      assert.ok(error instanceof UnavailableError);
      assert.ok(error.message.includes(`${dir}/file/x`));
      return true;
    });
    const folder = newFolder();
    await (await openEmbeddedLog({ folder })).close();
    writeFileSync(`${folder}/log.sqlite`, 'this is no database, and long enough to be noticed as such'.repeat(100));
    await assert.rejects(openEmbeddedLog({ folder }), /cannot be opened.*not a database/);
  });
});
