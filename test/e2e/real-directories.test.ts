/** Real data directories open as they are, and not a byte of them changes. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { REAL_DATA } from '../real-data.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { overview, TestNode } from './harness.ts';

const skip = !existsSync(REAL_DATA) && `no ${REAL_DATA}`;
const folder = temporaryFolder('e2e');

/** Folders below `shared/data` that are data directories: some repositories hold several. */
function directories(): string[] {
  if (!existsSync(REAL_DATA)) return [];
  const found: string[] = [];
  const visit = (dir: string, depth: number) => {
    const looksRight = ['global.xml', 'workspaces', 'catalog.xml'].some((name) => existsSync(path.join(dir, name)));
    if (looksRight) found.push(dir);
    else if (depth < 2)
      for (const entry of readdirSync(dir, { withFileTypes: true }))
        if (entry.isDirectory()) visit(path.join(dir, entry.name), depth + 1);
  };
  visit(REAL_DATA, 0);
  return found.map((dir) => path.relative(REAL_DATA, dir));
}

function checksums(dir: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const relative = path.relative(dir, file);
    if (!relative.startsWith(`cluster${path.sep}`))
      sums.set(relative, createHash('sha256').update(readFileSync(file)).digest('hex'));
  }
  return sums;
}

function copy(name: string): string {
  const to = path.join(folder, name.replaceAll(path.sep, '-'));
  cpSync(path.join(REAL_DATA, name), to, { recursive: true });
  for (const entry of readdirSync(to, { recursive: true, withFileTypes: true }))
    chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  chmodSync(to, 0o755);
  return to;
}

for (const name of directories()) {
  test(`${name} opens, lists its layers and stays as it is`, { skip }, async (t) => {
    const dataDir = copy(name);
    const before = checksums(dataDir);
    const node = new TestNode({ folder, name: 'A', port: await adjacentPorts(1), dataDir });
    try {
      await node.ready();
      const answer = await fetch(`${node.url}/wms?service=WMS&version=1.3.0&request=GetCapabilities`);
      const capabilities = await answer.text();
      assert.equal(answer.status, 200, capabilities.slice(0, 500));
      const { layers } = await overview(node.url);
      let drawn = 0;
      const problems: string[] = [];
      for (const layer of layers.slice(0, 40)) {
        const bare = layer.name.replace(/^.*:/, '');
        assert.ok(
          capabilities.includes(`<Name>${layer.name}</Name>`) || capabilities.includes(`<Name>${bare}</Name>`),
          `${layer.name} is not in the capabilities`,
        );
        const query = `service=WMS&version=1.1.1&request=GetMap&layers=${encodeURIComponent(layer.name)}&styles=&srs=EPSG:4326&bbox=-180,-90,180,90&width=64&height=32&format=image/png`;
        const map = await fetch(`${node.url}/wms?${query}`, { signal: AbortSignal.timeout(60_000) });
        const bytes = Buffer.from(await map.arrayBuffer());
        if (map.headers.get('content-type')?.startsWith('image/png')) drawn++;
        else
          problems.push(
            `${layer.name}: ${
              bytes
                .toString('utf8')
                .match(/<ServiceException(?: [^>]*)?>([\s\S]*?)<\/ServiceException>/)?.[1]
                ?.trim() ?? bytes.toString('utf8').slice(0, 200)
            }`,
          );
        assert.ok(map.status < 500 || map.headers.get('content-type')?.includes('xml'), `${layer.name}: ${map.status}`);
      }
      t.diagnostic(`${layers.length} layers, ${drawn} of the first ${Math.min(40, layers.length)} drawn`);
      for (const problem of problems.slice(0, 5)) t.diagnostic(problem);
      const health = (await (await fetch(`${node.url}/health/ready`)).json()) as { state: string };
      assert.equal(health.state, 'in-step');
    } finally {
      assert.equal(await node.stop(), 0, node.program.output.slice(-2_000));
    }
    const afterwards = checksums(dataDir);
    for (const [file, sum] of before) assert.equal(afterwards.get(file), sum, `${file} has changed`);
    assert.deepEqual(
      [...afterwards.keys()].filter((file) => !before.has(file)),
      [],
      'files have appeared',
    );
    assert.ok(statSync(dataDir).isDirectory());
  });
}
