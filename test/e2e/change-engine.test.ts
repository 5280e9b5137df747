/** A cluster changes its engine: from a node to PostgreSQL, to NATS, and back into a node. History and positions stay. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { type Nats, natsMissing, startNats } from '../services/nats.ts';
import { type Postgres, postgresMissing, startPostgres } from '../services/postgres.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { equalTrees, nodeState, PASSWORD, rest, run, SECRET, TestNode, workspaceXml } from './harness.ts';

describe('a cluster changes its engine', { skip: postgresMissing ?? natsMissing }, () => {
  const folder = temporaryFolder('e2e');
  let postgres: Postgres;
  let nats: Nats;
  let database: string;
  const nodes: TestNode[] = [];
  const cli = (...args: string[]) =>
    run(args, { GEOSERVER_ADMIN_PASSWORD: PASSWORD, GRATICULE_CLUSTER_SECRET: SECRET });
  const urls = () => nodes.map(({ url }) => url);
  let made = 0;

  before(async () => {
    [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
    database = await postgres.createDatabase();
    const port = await adjacentPorts(3);
    nodes.push(new TestNode({ folder, name: 'A', port }));
    await nodes[0]!.ready();
    nodes.push(new TestNode({ folder, name: 'B', port: port + 1, logPort: port }));
    nodes.push(new TestNode({ folder, name: 'C', port: port + 2, logPort: port, role: 'replica' }));
    await Promise.all(nodes.map((node) => node.ready()));
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await Promise.all([postgres?.stop(), nats?.stop()]);
  });

  /** A few changes through both primaries. */
  async function change(): Promise<void> {
    for (const node of [nodes[0]!, nodes[1]!, nodes[0]!]) {
      const answer = await rest(node.url, 'POST', '/workspaces', workspaceXml(`w${++made}`));
      assert.equal(answer.status, 201, await answer.text());
    }
    await equalTrees(...urls());
  }

  interface Listed {
    readonly changes: { readonly change: readonly { readonly ref: string; readonly id: string }[] };
  }
  /** The positions and ids of all changes that the log retains, as a node tells them, by position. */
  async function history(url: string): Promise<ReadonlyMap<string, string>> {
    const answer = await rest(url, 'GET', '/cluster/changes.json?limit=500');
    assert.equal(answer.status, 200);
    return new Map(((await answer.json()) as Listed).changes.change.map(({ ref, id }) => [ref, id]));
  }

  async function move(from: string, to: string, brokerUrl: readonly string[]): Promise<void> {
    const before = await history(nodes[1]!.url);
    // The long part, while the cluster works.
    const first = await cli('log', 'copy', from, to);
    assert.equal(first.code, 0, first.output);
    assert.match(first.output, /Primaries are not paused \(A, B\)/);
    await change();
    for (const name of ['A', 'B']) assert.equal((await cli('role', name, 'paused', '--url', nodes[2]!.url)).code, 0);
    const { position } = await nodeState(nodes[2]!.url);
    const second = await cli('log', 'copy', from, to);
    assert.equal(second.code, 0, second.output);
    assert.match(second.output, new RegExp(`to ${position} are the same in both, SHA-256 [0-9a-f]{64}`));
    assert.doesNotMatch(second.output, /not paused|Not complete/);
    for (const [index, node] of nodes.entries()) {
      const role = index < 2 ? ['role=both'] : [];
      const set = await cli('cluster', 'set', `brokerURL=${brokerUrl[index]}`, ...role, '--url', node.url);
      assert.equal(set.code, 0, set.output);
    }
    await eventually(async () => {
      for (const url of urls()) assert.equal((await nodeState(url)).state, 'in-step', url);
    });
    const { position: same } = await equalTrees(...urls());
    assert.ok(same >= position);
    await change();
    const now = await history(nodes[0]!.url);
    assert.ok(before.size > 3);
    for (const [ref, id] of before) assert.equal(now.get(ref), id, `the change ${ref} is another`);
    assert.ok((await nodeState(nodes[2]!.url)).position >= position + 3);
    for (const url of urls()) assert.equal((await rest(url, 'GET', '/workspaces/w1.json')).status, 200);
  }

  const all = (url: string) => [url, url, url];

  test('from a node to PostgreSQL', async () => {
    await change();
    await change();
    const url = postgres.url(database);
    await move(`ws://localhost:${new URL(nodes[0]!.url).port}`, url, all(url));
  });

  test('from PostgreSQL to NATS', async () => {
    await move(postgres.url(database), nats.url, all(nats.url));
  });

  test('from NATS into a node', async () => {
    const { port } = new URL(nodes[0]!.url);
    const there = path.join(nodes[0]!.dataDir, 'cluster/log');
    const followers = `ws://localhost:${port}`;
    await move(nats.url, `embedded:${there}`, ['', followers, followers]);
    assert.match(readFileSync(path.join(there, 'group'), 'utf8'), /geoserver-cluster/);
  });

  test('a log that is not the beginning of the other is refused', async () => {
    const refused = await cli('log', 'copy', postgres.url(database), nats.url);
    assert.equal(refused.code, 1, refused.output);
    assert.match(refused.output, /the target is ahead: it holds the positions 1 to/);
    const unreachable = await cli('log', 'copy', 'nats://localhost:1', 'foo:bar');
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.output, /nats:\/\/localhost:1: .*reached/);
  });

  test('nothing went wrong on the way', () => {
    for (const { name, program } of nodes)
      assert.doesNotMatch(program.output, /"level":"error"|digest-mismatch|snapshot-needed/, name);
  });
});
