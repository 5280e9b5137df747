import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { silentLogger } from '../base/index.ts';
import { openStore } from '../log/index.ts';
import { nodeFileSystem, START, TreeStore } from '../tree/index.ts';
import { openNamedLog } from './named-log.ts';

const folder = temporaryFolder('named');

const open = (url: string) =>
  openNamedLog(url, {
    ...{ group: 'g', name: 'copy', logger: silentLogger },
    secret: () => assert.fail('no secret is needed'),
    tls: () => assert.fail('no certificate is needed'),
  });

test('a log in a folder is one of a node; elsewhere none is begun that nobody would read', async () => {
  const dataDir = path.join(folder, 'node');
  mkdirSync(dataDir);
  const store = await TreeStore.open(dataDir, { system: nodeFileSystem });
  await store.bind('log-1');
  await store.close();
  const log = await open(`embedded:${path.join(dataDir, 'cluster/log')}`);
  assert.equal(await log.head(), START);
  await log.close();

  const elsewhere = path.join(folder, 'somewhere');
  await assert.rejects(open(`embedded:${elsewhere}/log`), { code: 'no-folder' });
  assert.ok(!existsSync(elsewhere));
});

test('the folder that brokers share, and the one of a node, are not taken for each other', async () => {
  const shared = path.join(folder, 'shared');
  await openStore({ place: shared, leaseMs: 1000 });
  const before = readdirSync(shared);
  await assert.rejects(open(`embedded:${shared}`), { code: 'log-of-brokers' });
  assert.deepEqual(readdirSync(shared), before);
  await assert.rejects(open(`embedded:${path.join(shared, 'groups', 'maps')}`), { code: 'log-of-brokers' });

  const own = path.join(folder, 'own');
  mkdirSync(path.join(own, 'records'), { recursive: true });
  await assert.rejects(openStore({ place: own, leaseMs: 1000 }), { code: 'log-of-one-node' });
  assert.deepEqual(readdirSync(own), ['records']);
});
