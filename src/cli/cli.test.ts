import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { type Facts, silentLogger } from '../base/index.ts';
import { addOptions, parseBaseUrl, parseOrigins, parsePort, parseSwitch } from './options.ts';
import { clusterSecrets } from './secret.ts';
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
    [['--data-dir', 'x'], {}, 'group', 'geoserver-cluster'],
    [['--data-dir', 'x'], { GRATICULE_GROUP: 'maps' }, 'group', 'maps'],
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
    ['--data-dir', 'x', '--group', ' '],
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
  const clusterDir = temporaryFolder('secret');
  const file = path.join(clusterDir, 'other');
  assert.throws(() => clusterSecrets({ clusterDir, holdsLog: false }), /--secret-file.*GRATICULE_CLUSTER_SECRET/);
  const made = clusterSecrets({ clusterDir, holdsLog: true }).accepted;
  assert.ok(made.length === 1 && made[0]!.length >= 32);
  assert.equal(statSync(path.join(clusterDir, 'secret')).mode & 0o777, 0o600);
  assert.deepEqual(clusterSecrets({ clusterDir, holdsLog: false }).accepted, made);
  assert.equal(readFileSync(path.join(clusterDir, 'secret'), 'utf8').trim(), made[0]);
  const fromEnvironment = clusterSecrets({ clusterDir, holdsLog: true, given: 'from-environment' });
  assert.deepEqual(
    [fromEnvironment.accepted, fromEnvironment.source],
    [['from-environment'], 'GRATICULE_CLUSTER_SECRET'],
  );
  writeFileSync(file, 'in-a-file-here\n');
  assert.deepEqual(clusterSecrets({ clusterDir, holdsLog: false, file }).accepted, ['in-a-file-here']);
  assert.throws(() => clusterSecrets({ clusterDir, holdsLog: true, given: 'short' }), /shorter than 8/);
  assert.throws(() => clusterSecrets({ clusterDir, holdsLog: false, file: `${file}-absent` }), /cannot be read/);
});

test('a secret file holds several, is read again when it changes, and a useless one changes nothing', () => {
  const clusterDir = temporaryFolder('secret');
  const file = path.join(clusterDir, 'secret');
  const said: string[] = [];
  const write = (event: string, facts?: Facts) => said.push(`${event} ${JSON.stringify(facts)}`);
  writeFileSync(file, '# since May\nnew-secret\n\n  old-secret  \r\n# end');
  const secrets = clusterSecrets({
    clusterDir,
    holdsLog: false,
    logger: { ...silentLogger, info: write, error: write },
  });
  assert.deepEqual([secrets.accepted, secrets.source], [['new-secret', 'old-secret'], `the file ${file}`]);
  writeFileSync(file, '# nothing\n');
  assert.deepEqual(secrets.accepted, ['new-secret', 'old-secret']);
  writeFileSync(file, 'new-secret\nshort\n');
  assert.deepEqual(secrets.accepted, ['new-secret', 'old-secret']);
  writeFileSync(file, 'new-secret\n');
  assert.deepEqual(secrets.accepted, ['new-secret']);
  assert.deepEqual(
    said.map((line) => line.split(' ', 1)[0]),
    ['secrets-unusable', 'secrets-unusable', 'secrets-read'],
  );
  assert.ok(!said.join().includes('new-secret'));
});

test('whether trees are equal', () => {
  const node = (position: number, digest: string) => ({ position, digest }) as never;
  assert.equal(compareTrees([node(3, 'a'), node(3, 'a')]), 'equal');
  assert.equal(compareTrees([node(3, 'a'), node(2, 'b')]), 'catching-up');
  assert.equal(compareTrees([node(3, 'a'), node(3, '')]), 'catching-up');
  assert.equal(compareTrees([node(3, 'a'), node(3, 'b'), node(2, 'c')]), 'differ');
});
