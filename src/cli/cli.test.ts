import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { readClusterProperties } from './cluster-properties.ts';
import { addOptions, parseBaseUrl, parseOrigins, parsePort, parseSwitch } from './options.ts';
import { clusterSecret } from './secret.ts';
import { SERVE_OPTIONS, type ServeOptions } from './serve-options.ts';
import { compareTrees } from './status.ts';
import { table } from './text.ts';

function parseServe(args: string[], env: Record<string, string> = {}): ServeOptions {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    const command = addOptions(
      new Command('serve').exitOverride().configureOutput({ writeErr: () => {} }),
      SERVE_OPTIONS,
    );
    return command.parse(args, { from: 'user' }).opts<ServeOptions>();
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

test('options come from flags, then from the environment, then from their defaults', () => {
  const table: [args: string[], env: Record<string, string>, key: keyof ServeOptions, value: unknown][] = [
    [['--data-dir', 'x'], {}, 'port', 8080],
    [['--data-dir', 'x'], { GRATICULE_PORT: '9000' }, 'port', 9000],
    [['--data-dir', 'x', '--port', '0'], { GRATICULE_PORT: '9000' }, 'port', 0],
    [['--data-dir', 'x'], { GRATICULE_PORT: '' }, 'port', 8080],
    [[], { GEOSERVER_DATA_DIR: 'y' }, 'dataDir', 'y'],
    [[], { GEOSERVER_DATA_DIR: 'y', CLUSTER_CONFIG_DIR: 'z' }, 'clusterDir', 'z'],
    [['--data-dir', 'x', '--adopt'], {}, 'adopt', true],
    [['--data-dir', 'x'], { GRATICULE_ADOPT: 'false' }, 'adopt', false],
    [['--data-dir', 'x'], { GRATICULE_ADOPT: 'true' }, 'adopt', true],
    [['--data-dir', 'x', '--cors', '*'], {}, 'cors', '*'],
    [['--data-dir', 'x', '--role', 'replica'], {}, 'role', 'replica'],
  ];
  for (const [args, env, key, value] of table)
    assert.deepEqual(parseServe(args, env)[key], value, `${args} ${JSON.stringify(env)}`);
});

test('options that mean nothing are refused', () => {
  const table: string[][] = [
    [],
    ['--data-dir', 'x', '--port', '70000'],
    ['--data-dir', 'x', '--port', '-1'],
    ['--data-dir', 'x', '--role', 'master'],
    ['--data-dir', 'x', '--nonsense'],
    ['--data-dir', 'x', '--cors', 'example.org'],
    ['--data-dir', 'x', '--url', 'host:8080'],
  ];
  for (const args of table) assert.throws(() => parseServe(args), `${args}`);
});

test('values of options', () => {
  assert.equal(parsePort('8080'), 8080);
  assert.equal(parseBaseUrl('http://a:1/geoserver/'), 'http://a:1/geoserver');
  assert.deepEqual(parseOrigins('https://a.org/, http://b:1'), ['https://a.org', 'http://b:1']);
  for (const text of ['yes', 'TRUE', '1', 'on']) assert.equal(parseSwitch(text), true);
  for (const text of ['no', 'False', '0', 'off', '']) assert.equal(parseSwitch(text), false);
  assert.throws(() => parseSwitch('maybe'));
});

test('tables line up', () => {
  assert.equal(
    table(
      [
        ['A', 'BB'],
        ['long', 'x'],
        ['é', ''],
      ],
      '',
    ),
    'A      BB\nlong   x\né',
  );
});

test('the cluster secret is given, or read, or made by whoever holds the log', () => {
  const clusterDir = mkdtempSync(path.join(tmpdir(), 'graticule-secret-'));
  try {
    assert.throws(() => clusterSecret({ clusterDir, holdsLog: false }), /--secret-file.*GRATICULE_CLUSTER_SECRET/);
    const made = clusterSecret({ clusterDir, holdsLog: true });
    assert.ok(made.length >= 32);
    assert.equal(statSync(path.join(clusterDir, 'secret')).mode & 0o777, 0o600);
    assert.equal(clusterSecret({ clusterDir, holdsLog: false }), made);
    assert.equal(readFileSync(path.join(clusterDir, 'secret'), 'utf8').trim(), made);
    assert.equal(clusterSecret({ clusterDir, holdsLog: true, given: 'from-environment' }), 'from-environment');
    writeFileSync(path.join(clusterDir, 'other'), 'in-a-file-here\n');
    assert.equal(
      clusterSecret({ clusterDir, holdsLog: false, file: path.join(clusterDir, 'other') }),
      'in-a-file-here',
    );
    assert.throws(() => clusterSecret({ clusterDir, holdsLog: true, given: 'short' }), /shorter than 8/);
    assert.throws(
      () => clusterSecret({ clusterDir, holdsLog: false, file: path.join(clusterDir, 'absent') }),
      /cannot be read/,
    );
  } finally {
    rmSync(clusterDir, { recursive: true });
  }
});

test('whether trees are equal', () => {
  const node = (position: number, digest: string) => ({ position, digest }) as never;
  assert.equal(compareTrees([node(3, 'a'), node(3, 'a')]), 'equal');
  assert.equal(compareTrees([node(3, 'a'), node(2, 'b')]), 'catching-up');
  assert.equal(compareTrees([node(3, 'a'), node(3, 'b'), node(2, 'c')]), 'differ');
});

test('settings of the cluster extension', () => {
  const clusterDir = mkdtempSync(path.join(tmpdir(), 'graticule-cluster-'));
  const table: [text: string, options: Record<string, string>][] = [
    ['', {}],
    [
      'instanceName=node-7\nembeddedBroker=true\ntoggleMaster=true\ntoggleSlave=true',
      { name: 'node-7', role: 'both', log: 'embedded:' },
    ],
    ['toggleMaster=false', { role: 'replica' }],
    ['readOnly=true', { role: 'replica' }],
    ['toggleSlave=false', { role: 'paused' }],
    ['brokerURL=ws\\://a\\:8080', { log: 'ws://a:8080' }],
    ['brokerURL=tcp\\://a\\:61616', {}],
  ];
  try {
    assert.deepEqual(readClusterProperties(clusterDir), { entries: {}, options: {} });
    for (const [text, options] of table) {
      writeFileSync(path.join(clusterDir, 'cluster.properties'), text);
      assert.deepEqual(readClusterProperties(clusterDir).options, options, text);
    }
    writeFileSync(path.join(clusterDir, 'cluster.properties'), 'brokerURL=ws://user:pw@a:8080');
    assert.deepEqual(readClusterProperties(clusterDir).entries, { brokerURL: 'ws://a:8080' });
  } finally {
    rmSync(clusterDir, { recursive: true });
  }
});
