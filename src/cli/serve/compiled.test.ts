import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { keepCompiled } from './compiled.ts';

test('the compiled program is kept in the folder of a node that has started before, where nobody else can write', () => {
  const clusterDir = mkdtempSync(path.join(tmpdir(), 'graticule-compiled-'));
  const folder = path.join(clusterDir, 'cache', 'code');
  try {
    keepCompiled(clusterDir);
    assert.deepEqual(readdirSync(clusterDir), []);
    assert.equal(getCompileCacheDir(), undefined);

    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o770);
    keepCompiled(clusterDir);
    assert.equal(getCompileCacheDir(), undefined);

    chmodSync(folder, 0o700);
    keepCompiled(clusterDir);
    assert.ok(getCompileCacheDir()?.startsWith(folder));
  } finally {
    rmSync(clusterDir, { recursive: true });
  }
});
