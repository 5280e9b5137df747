import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { silentLogger } from '../base/index.ts';
import { DirectoryLock } from './directory-lock.ts';

const CHILD = `
  const { DirectoryLock } = await import(process.argv[1]);
  globalThis.lock = new DirectoryLock(process.argv[2]);
  await lock.take('first', { warn() {} }, 0);
  console.log('taken');
  setInterval(() => {}, 1000);
`;

test('a directory is for one process, and free again when that is killed', async () => {
  const dir = temporaryFolder('lock');
  const module = path.join(import.meta.dirname, 'directory-lock.ts');
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD, module, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    const lock = new DirectoryLock(dir);
    await assert.rejects(
      lock.take('second', silentLogger, 300),
      new RegExp(`in use by node first \\(process ${child.pid} on .*stop that one`),
    );
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await lock.take('second', silentLogger, 2_000);
    await lock.take('second', silentLogger, 0);
    lock.release();
    assert.ok(new DirectoryLock(dir).tryTake());
  } finally {
    child.kill('SIGKILL');
  }
});
