/** Forty seconds of every fault that this machine allows, with a fixed seed; `npm run faults` runs for longer. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const SECONDS = 40;

test('nodes are killed, frozen, wiped, cut off, and run out of disk: nothing acknowledged is lost', async (t) => {
  const run = path.join(import.meta.dirname, 'run.ts');
  const args = [run, '--seconds', String(SECONDS), '--seed', '20', '--nodes', '5', '--clients', '8'];
  const failure = (error: { stdout?: string; stderr?: string }) =>
    assert.fail(`${error.stdout ?? ''}\n${error.stderr ?? ''}\n${String(error)}`);
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 }).catch(failure);
  for (const line of stdout.split('\n').filter((each) => each !== '' && !each.includes(' left · '))) t.diagnostic(line);
  // A run in which nothing happened proves nothing.
  const acknowledged = Number(/changes: (\d+) acknowledged/.exec(stdout)?.[1]);
  assert.ok(acknowledged > 50, `${acknowledged} changes`);
  const kinds = /^faults: (.*)$/m.exec(stdout)![1]!.split(', ');
  assert.ok(kinds.length >= 8, `kinds of faults: ${kinds}`);
});
