/** The history of a cluster on the command line: look, go back, back up, restore. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { demoDirectory, equalTrees, nodeState, PASSWORD, run, TestNode, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
let [a, b, restored] = [] as unknown as [TestNode, TestNode, TestNode];
let base = 0;

before(async () => {
  base = await adjacentPorts(3);
  await demoDirectory(folder, 'A');
  a = await new TestNode({ folder, name: 'A', port: base }).ready();
  b = await new TestNode({ folder, name: 'B', port: base + 1, logPort: base, role: 'replica' }).ready();
});
after(async () => {
  await restored?.stop();
  await b?.stop();
  await a?.stop();
});

async function graticule(args: readonly string[], code = 0): Promise<string> {
  const login = { GRATICULE_USER: 'admin', GRATICULE_PASSWORD: PASSWORD, GRATICULE_URL: a.url };
  const { code: found, output } = await run(args, login);
  assert.equal(found, code, `graticule ${args.join(' ')}\n${output}`);
  return output;
}

test('log and show tell who did what', async () => {
  assert.equal((await a.rest('POST', '/workspaces', workspaceXml('history'))).status, 201);
  const { position } = await nodeState(a.url);
  const log = await graticule(['log', '-n', '3']);
  assert.match(log, /^ {2}POSITION +TIME +WHO +FROM +WHAT +FILES\n/);
  assert.match(
    log,
    new RegExp(`\\n {2}${position} +\\d{4}-\\d\\d-\\d\\d [\\d:]{8} +admin +[\\d.:]+ +POST /rest/workspaces +`),
  );
  assert.doesNotMatch(log, /\u001b/, 'no colours without a terminal');
  const shown = await graticule(['show', String(position)]);
  assert.match(shown, /added +workspaces\/history\/workspace\.xml/);
  assert.match(shown, /\n\+ +<name>history<\/name>\n/);
  assert.match(await graticule(['log', '--by', 'nobody']), /No such change/);
  const { code, output } = await run(['log', '--url', a.url, '--password', 'wrong']);
  assert.equal(code, 1);
  assert.match(output, /GRATICULE_PASSWORD/);
});

test('a change is taken back on all nodes, and what stands in the way is told', async () => {
  await a.rest('POST', '/workspaces', workspaceXml('undone'));
  const { position } = await nodeState(a.url);
  const before = (await nodeState(a.url)).digest;
  await a.rest('PUT', '/workspaces/undone', workspaceXml('renamed'));
  assert.match(await graticule(['revert', String(position)], 1), /nothing was changed[\s\S]*changed by/);
  assert.match(await graticule(['revert', '--to', String(position), '--dry-run']), /dry run: nothing was changed/);
  assert.match(await graticule(['revert', '--to', String(position), '--why', 'a test']), /Taken back/);
  const { digest } = await equalTrees(a.url, b.url);
  assert.equal(digest, before);
  assert.match(await graticule(['log', '-n', '1']), new RegExp(`back to position ${position}: a test`));
});

test('a backup is restored into a running cluster, and into a new one', async () => {
  const file = path.join(folder, 'backup.tar.zst');
  assert.match(await graticule(['backup', file]), /Backup of position \d+: \d+ files/);
  assert.match(await graticule(['backup', file], 1), /not overwritten/);
  const { digest } = await nodeState(a.url);
  await a.rest('POST', '/workspaces', workspaceXml('later'));
  assert.match(await graticule(['restore', file, '--dry-run']), /deleted +workspaces\/later\/workspace\.xml/);
  assert.match(await graticule(['restore', file]), /Restored/);
  assert.equal((await equalTrees(a.url, b.url)).digest, digest);

  const broken = path.join(folder, 'broken.tar.zst');
  const bytes = readFileSync(file);
  writeFileSync(broken, bytes.subarray(0, bytes.length - 100));
  assert.match(await graticule(['restore', broken, '--data-dir', path.join(folder, 'no')], 1), /no complete backup/);
  assert.ok(!existsSync(path.join(folder, 'no')));
  assert.match(await graticule(['restore', file, '--data-dir', path.join(folder, 'A')], 1), /not empty/);
  assert.match(await graticule(['restore', file, '--data-dir', path.join(folder, 'R')]), /starts a new log/);
  restored = await new TestNode({ folder, name: 'R', port: base + 2 }).ready();
  const state = await nodeState(restored.url);
  assert.equal(state.digest, digest);
  assert.equal(state.position, 1);

  await restored.stop();
  const { code } = await run(['backup', path.join(folder, 'stopped.tar.zst'), '--data-dir', path.join(folder, 'R')]);
  assert.equal(code, 0);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('partial')),
    [],
  );
});
