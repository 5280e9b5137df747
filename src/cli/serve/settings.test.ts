import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { ServeOptions } from '../serve-options.ts';
import { clusterFolder } from './cluster-folder.ts';
import { normalized, SETTING_KEYS, settingKey, withoutSecrets } from './keys.ts';
import { propertiesOf } from './properties-file.ts';
import { keysAfter, keysFor, roleOf } from './role-keys.ts';
import { resolveSettings } from './settings.ts';

const DEFAULTS: ServeOptions = {
  dataDir: '/data',
  port: 8080,
  role: 'both',
  log: 'embedded:',
  group: 'geoserver-cluster',
  renderProcesses: 1,
  logLevel: 'info',
};

interface Given {
  readonly flags?: Partial<ServeOptions>;
  readonly env?: Record<string, string>;
  readonly file?: string;
  readonly steered?: Record<string, string>;
}

const resolve = ({ flags = {}, env = {}, file = '', steered = {} }: Given) =>
  resolveSettings({
    given: { ...DEFAULTS, ...flags },
    sourceOf: (option) => (option in flags ? 'command line' : undefined),
    env,
    file: propertiesOf(file),
    steered: new Map(Object.entries(steered)),
  });

test('the command line wins over the environment, that over the file, that over the defaults', () => {
  const file =
    'instanceName=file\ntoggleMaster=false\nbrokerURL=ws\\://file\\:1\ngroup=f\nreadOnly=enabled\nonDrift=restore';
  const env = { instanceName: 'env', TOGGLE_MASTER: 'true', BROKER_URL: 'ws://env:1', READONLY: 'disabled' };
  const flags = { name: 'flag', role: 'paused', log: 'ws://flag:1', group: 'c', readOnly: true } as const;
  const table: [given: Given, options: Partial<ServeOptions>][] = [
    [{}, { name: undefined, role: 'both', log: 'embedded:', group: 'geoserver-cluster', readOnly: undefined }],
    [{ file }, { name: 'file', role: 'replica', log: 'ws://file:1', group: 'f', readOnly: true, onDrift: 'restore' }],
    [
      { file, env },
      { name: 'env', role: 'both', log: 'ws://env:1', group: 'f', readOnly: false },
    ],
    [{ file, env, flags }, { ...flags }],
    [
      { file, env, flags, steered: { instanceName: 'now', readOnly: 'disabled', brokerURL: '' } },
      { name: 'now', readOnly: false, log: 'embedded:', role: 'paused' },
    ],
    // The extension's own name before that of a container image; what is set to nothing is not set.
    [{ env: { instanceName: 'a', INSTANCE_STRING: 'b' } }, { name: 'a' }],
    [{ env: { instanceName: '', INSTANCE_STRING: 'b' } }, { name: 'b' }],
    [{ env: { BROKER_URL: 'ws://a:1,ws://b:1' } }, { log: 'failover:(ws://a:1,ws://b:1)' }],
    [{ env: { EMBEDDED_BROKER: 'enabled', BROKER_URL: 'tcp://0.0.0.0:61661' } }, { log: 'embedded:' }],
    [
      { file: 'forwardWrites=yes\nretainRecords=500\nsnapshotEvery=50\nonAhead=publish' },
      { forwardWrites: true, retainRecords: 500, snapshotEvery: 50, onAhead: 'publish' },
    ],
    [{ file: 'brokerURL=stomp://me:pw@a' }, { log: 'stomp://me:pw@a' }],
    [{ env: { BROKER_URL: 'stomp://a:1,stomp://b:1' } }, { log: 'failover:(stomp://a:1,stomp://b:1)' }],
    [{ file: 'brokerURL=failover:(tcp://a:61613)' }, { log: 'failover:(tcp://a:61613)' }],
    [{ file: 'brokerURL=tcp://a:5000\nembeddedBroker=disabled' }, { log: 'tcp://a:5000' }],
    [{ file: 'topicName=VirtualTopic.maps' }, { topicName: 'VirtualTopic.maps' }],
    [{ file: 'role=replica' }, { role: 'replica' }],
    [{ file: 'embeddedBroker=false\nbrokerURL=ws://a:1' }, { log: 'ws://a:1' }],
    [{ file: 'brokerURL=postgres://me@a,b/db' }, { log: 'postgres://me@a,b/db' }],
    [{ env: { BROKER_URL: 'postgres://me@a,b/db' } }, { log: 'postgres://me@a,b/db' }],
  ];
  for (const [given, options] of table)
    for (const [key, value] of Object.entries(options))
      assert.deepEqual(resolve(given).options[key as keyof ServeOptions], value, `${key} of ${JSON.stringify(given)}`);
});

test('what somebody should know is said', () => {
  const events = (given: Given) => resolve(given).warnings.map(({ event, facts }) => ({ event, ...facts }));
  assert.deepEqual(events({ file: 'instanceName=a\nxbeanURL=./broker.xml\nconnection.retry=10' }), []);
  assert.deepEqual(events({ file: 'togleMaster=true' }), [{ event: 'setting-unknown', key: 'togleMaster' }]);
  assert.deepEqual(events({ file: 'toggleMaster=false', flags: { role: 'both' } }), [
    { event: 'setting-overridden', option: 'role', by: 'command line', used: 'both', inFile: 'replica' },
  ]);
  assert.deepEqual(events({ file: 'toggleMaster=false', flags: { role: 'replica' } }), []);
  const [warning] = events({ file: 'brokerURL=failover:(tcp://me:pw@a:61616)' });
  assert.equal(warning!.event, 'setting-without-effect');
  assert.ok(!JSON.stringify(warning).includes('pw'));
});

test('settings that cannot work are refused, with the key', () => {
  const table: [given: Given, text: RegExp][] = [
    [{ file: 'toggleMaster=perhaps' }, /toggleMaster=perhaps/],
    [{ file: 'onDrift=delete' }, /onDrift=delete: publish, restore, refuse/],
    [{ file: 'retainRecords=-1' }, /retainRecords=-1/],
    [{ file: 'embeddedBroker=disabled' }, /brokerURL is empty/],
    [{ env: { EMBEDDED_BROKER: 'disabled', BROKER_URL: 'tcp://u:pw@a:61616' } }, /brokerURL=tcp:\/\/a:61616/],
  ];
  for (const [given, text] of table) assert.throws(() => resolve(given), text);
});

test('the role that the switches say', () => {
  const table: [file: string, role: string | undefined][] = [
    ['', undefined],
    ['toggleMaster=true\ntoggleSlave=true', 'both'],
    ['toggleMaster=enabled', 'both'],
    ['toggleMaster=false\ntoggleSlave=true', 'replica'],
    ['toggleMaster=false\ntoggleSlave=false', 'paused'],
    ['toggleSlave=false', 'paused'],
    // A master that only sends.
    ['toggleMaster=true\ntoggleSlave=false', 'both'],
    ['toggleMaster=true\ntoggleSlave=false\nrole=paused', 'paused'],
    ['toggleMaster=true\ntoggleSlave=true\nconnection=disabled', 'paused'],
    ['role=replica', 'replica'],
    // The switches are what GeoServer's tools change.
    ['toggleMaster=false\ntoggleSlave=true\nrole=both', 'replica'],
    ['readOnly=enabled', undefined],
  ];
  for (const [file, role] of table) {
    const entries = propertiesOf(file);
    assert.equal(
      roleOf((key) => entries.get(key)),
      role,
      file,
    );
    for (const wanted of ['both', 'replica', 'paused'] as const) {
      const keys = keysFor(wanted, (key) => entries.get(key));
      assert.equal(
        roleOf((key) => keys.get(key)),
        wanted,
        `${file} to ${wanted}`,
      );
    }
  }
});

test('what a switch makes of a role', () => {
  const table: [from: 'both' | 'replica' | 'paused', changes: Record<string, string>, role: string | RegExp][] = [
    ['both', { toggleMaster: 'false' }, 'replica'],
    ['both', { toggleSlave: 'false' }, 'paused'],
    ['replica', { toggleSlave: 'false' }, 'paused'],
    ['replica', { toggleMaster: 'true' }, 'both'],
    ['both', { toggleMaster: 'true', toggleSlave: 'false' }, 'both'],
    ['both', { toggleMaster: 'false', toggleSlave: 'false' }, 'paused'],
    ['both', { connection: 'disabled' }, 'paused'],
    ['both', { role: 'replica' }, 'replica'],
    ['paused', { toggleSlave: 'true' }, 'both'],
    ['both', { role: 'replica', toggleMaster: 'true' }, /contradict/],
    ['both', { role: 'replica', toggleMaster: 'false' }, 'replica'],
  ];
  for (const [from, changes, role] of table) {
    const before = keysFor(from, (key) => keysFor('both', () => undefined).get(key));
    const what = `${from}, ${JSON.stringify(changes)}`;
    const after = () => keysAfter(new Map(Object.entries(changes)), (key) => before.get(key));
    if (role instanceof RegExp) assert.throws(after, role, what);
    else {
      const keys = after();
      assert.equal(
        roleOf((key) => keys.get(key)),
        role,
        what,
      );
      assert.equal(keys.get('role'), role, what);
    }
  }
  // Paused and back: what it was.
  for (const role of ['both', 'replica'] as const) {
    const paused = keysAfter(new Map([['toggleSlave', 'false']]), (key) => keysFor(role, () => undefined).get(key));
    const back = keysAfter(new Map([['toggleSlave', 'true']]), (key) => paused.get(key));
    assert.equal(back.get('role'), role);
  }
});

test('switches in any words become GeoServer’s', () => {
  for (const text of ['true', 'enabled', 'YES', 'on', '1']) {
    assert.equal(normalized(settingKey('toggleMaster')!, text), 'true');
    assert.equal(normalized(settingKey('readOnly')!, text), 'enabled');
  }
  for (const text of ['false', 'Disabled', 'no', 'off', '0']) {
    assert.equal(normalized(settingKey('durable')!, text), 'false');
    assert.equal(normalized(settingKey('forwardWrites')!, text), 'disabled');
  }
});

test('no secret of a broker’s URL is shown', () => {
  const table: [url: string, shown: string][] = [
    ['ws://a:1', 'ws://a:1'],
    ['failover:(ws://u:p@a:1,ws://u:p@b:1)', 'failover:(ws://a:1,ws://b:1)'],
    ['postgres://u:p@h/db?sslmode=require&password=x', 'postgres://h/db?sslmode=require&password='],
    ['postgres://u:p,w@a:1,b:2/db', 'postgres://a:1,b:2/db'],
    ['postgresql://u:p@w/x@a/db', 'postgresql://a/db'],
    ['nats://u:p@a:4222,b:4222?replicas=3', 'nats://a:4222,b:4222?replicas=3'],
    ['nats://u:p@a,nats://u:p@b', 'nats://b'],
    ['tls://t0ken@a', 'tls://a'],
    ['failover:(stomp://u:p,w@a:1,stomp+ssl://u:p@b:2)', 'failover:(stomp://a:1,stomp+ssl://b:2)'],
    ['stomp+nio+ssl://u:p/w@a', 'stomp+nio+ssl://a'],
    ['failover:(tcp://a)?jms.userName=me&jms.password=x', 'failover:(tcp://a)?jms.userName=me&jms.password='],
  ];
  for (const [url, shown] of table) assert.equal(withoutSecrets(url), shown);
});

test('where the cluster folder is', () => {
  const at = (clusterDir: string | undefined, source?: 'command line' | 'environment') =>
    clusterFolder({ ...DEFAULTS, clusterDir }, source);
  assert.equal(at(undefined), '/data/cluster');
  assert.equal(at('nodes/1', 'environment'), '/data/nodes/1');
  assert.equal(at('/var/nodes/1', 'environment'), '/var/nodes/1');
  assert.equal(at('nodes/1', 'command line'), path.resolve('nodes/1'));
});

test('every key is documented', () => {
  const text = readFileSync(path.resolve(import.meta.dirname, '../../../docs/cluster-settings.md'), 'utf8');
  for (const { name, default: value, env } of SETTING_KEYS)
    for (const word of [name, ...(value === '' ? [] : [value]), ...env])
      assert.ok(text.includes(`\`${word}\``), `${name}: ${word} is not in docs/cluster-settings.md`);
});

test('with discovery, a node that is told no log looks for one', () => {
  const discovery = 'multicast';
  const table: [Given, string][] = [
    [{ flags: { discovery } }, 'discovered:'],
    [{ flags: { discovery }, file: 'embeddedBroker=enabled' }, 'discovered:'],
    [{ flags: { discovery, log: 'embedded:' } }, 'embedded:'],
    [{ flags: { discovery, log: 'ws://a:1' } }, 'ws://a:1'],
    [{ flags: { discovery }, file: 'brokerURL=ws\\://a\\:1' }, 'ws://a:1'],
    [{ flags: { discovery: 'off' } }, 'embedded:'],
  ];
  for (const [given, log] of table) assert.equal(resolve(given).options.log, log, JSON.stringify(given));
});
