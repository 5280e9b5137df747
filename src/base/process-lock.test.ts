import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, describe, it } from 'node:test';
import { ProcessLock } from './process-lock.ts';

const HOLDER = new URL('./lock-holder.fixture.ts', import.meta.url);
const dir = mkdtempSync(`${tmpdir()}/lock-`);
after(() => rmSync(dir, { recursive: true }));

describe('a lock of a process', () => {
  it('is had by one, in this process or another, until it is released or the process dies', async () => {
    const file = `${dir}/lock`;
    const lock = ProcessLock.take(file)!;
    assert.equal(ProcessLock.take(file), undefined);
    assert.equal(ProcessLock.isFree(file), false);
    lock.release();
    assert.equal(ProcessLock.isFree(file), true);
    const other = fork(HOLDER, [file]);
    assert.deepEqual(await once(other, 'message'), [true, undefined]);
    assert.equal(ProcessLock.take(file), undefined);
    other.kill('SIGKILL');
    await once(other, 'exit');
    const again = ProcessLock.take(file)!;
    assert.equal(ProcessLock.isFree(file), false);
    again.release();
  });

  it('is not had on a file that cannot be written', async () => {
    const file = `${dir}/foreign`;
    writeFileSync(file, '');
    chmodSync(file, 0o444);
    chmodSync(dir, 0o755);
    const other = fork(HOLDER, [file, 'nobody']);
    assert.deepEqual(await once(other, 'message'), ['EACCES', undefined]);
    other.kill('SIGKILL');
  });
});
