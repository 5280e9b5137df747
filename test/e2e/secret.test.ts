/** The cluster's secret is exchanged while all nodes write; a wrong one is explained on both sides. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { equalTrees, TestNode, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
let [a, b, c] = [] as unknown as [TestNode, TestNode, TestNode];
const secretFile = (name: string) => path.join(folder, `secret-of-${name}`);

function putSecrets(name: string, ...secrets: readonly string[]): void {
  writeFileSync(`${secretFile(name)}.new`, `# the cluster's secrets\n${secrets.join('\n')}\n`);
  renameSync(`${secretFile(name)}.new`, secretFile(name));
}

before(async () => {
  const base = await adjacentPorts(3);
  for (const name of ['A', 'B', 'C']) putSecrets(name, 'old-secret');
  const node = (name: string, index: number, logPort?: number) =>
    new TestNode({
      folder,
      name,
      port: base + index,
      logPort,
      more: ['--secret-file', secretFile(name)],
      env: { GRATICULE_CLUSTER_SECRET: '' },
    });
  a = await node('A', 0).ready();
  [b, c] = [node('B', 1, base), node('C', 2, base)];
  await Promise.all([b.ready(), c.ready()]);
});
after(async () => {
  await Promise.all([b.stop(), c.stop()]);
  await a.stop();
});

test('the secret is exchanged under load, and no write fails', async () => {
  const answers = new Map<string, number>();
  const writes = new Map([a, b, c].map((node) => [node.name, 0]));
  let stop = false;
  const count = (node: TestNode, answer: Response) => {
    writes.set(node.name, writes.get(node.name)! + 1);
    const key = `${answer.status}`;
    answers.set(key, (answers.get(key) ?? 0) + 1);
  };
  // What is larger than 64 KiB travels on connections of its own, so there is a handshake for each of these.
  const writers = [a, b, c].map(async (node) => {
    for (let n = 0; !stop; n++) {
      count(node, await node.rest('POST', '/workspaces', workspaceXml(`${node.name}${n}`)));
      count(
        node,
        await node.rest('PUT', `/resource/big/${node.name}.bin`, randomBytes(100_000), 'application/octet-stream'),
      );
    }
  });
  // Every node has made both kinds of change since.
  const more = async () => {
    const before = new Map(writes);
    await eventually(() => {
      for (const [name, number] of writes) assert.ok(number >= before.get(name)! + 3, `${name} does not come to write`);
    });
  };
  await more();
  for (const secrets of [['old-secret', 'new-secret'], ['new-secret', 'old-secret'], ['new-secret']])
    for (const node of [b, a, c]) {
      putSecrets(node.name, ...secrets);
      await more();
    }
  stop = true;
  await Promise.all(writers);
  assert.deepEqual(
    [...answers.keys()].sort(),
    ['201'].concat(answers.has('200') ? ['200'] : []).sort(),
    JSON.stringify([...answers]),
  );
  await equalTrees(a.url, b.url, c.url);
  for (const node of [a, b, c]) assert.doesNotMatch(node.program.output, /peer-refused|log-connection-lost|old-secret/);
  // Who has the old secret only does not come in any more.
  await c.stop();
  putSecrets('C', 'old-secret');
  await c.restart();
  const health = await fetch(`${c.url}/health/ready`);
  const text = await health.text();
  assert.match(text, /secret/);
  assert.ok(text.includes(secretFile('C')), text);
  await a.program.prints(/"address":"127\.0\.0\.1","peer":"C","reason":"its secret.*"peer-refused"/);
  assert.doesNotMatch(a.program.output + c.program.output, /old-secret|new-secret/);
});
