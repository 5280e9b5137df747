/** The benchmarks run once with tiny sizes, so that they cannot rot. Nothing is timed here. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

function missing(programs: readonly string[]): string | false {
  const absent = programs.filter((program) => {
    try {
      execFileSync('which', [program], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  return absent.length > 0 && `needs ${absent.join(', ')}`;
}

const cases = [
  { name: 'replication', needs: ['etcd'], shows: /visible everywhere p50 +[\d.]+ ms/ },
  {
    name: 'engines',
    more: ['--only', 'embedded,broker'],
    needs: [],
    shows: /^broker +[\d.]+ ms \/ [\d.]+ ms \([\d.]+ x\)/m,
  },
  { name: 'scale', needs: ['etcd'], shows: /catching up over 200 changes.* [\d.]+ ms/ },
  { name: 'maps', needs: ['ogr2ogr', 'mapserv', 'spawn-fcgi', 'nginx'], shows: /parcels, 50 a map, 256 px +\d+ \/s/ },
];

for (const { name, more = [], needs, shows } of cases)
  test(`the benchmark of ${name} runs`, { skip: missing(needs), timeout: 120_000 }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['bench/run.ts', name, '--small', ...more]);
    assert.match(stdout, shows);
  });
