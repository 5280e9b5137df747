import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { editProperties, prepareProperties, propertiesOf, readPropertiesText } from './properties-file.ts';

const FILE = `#Fri Mar 28 18:27:32 CET 2014
toggleSlave=true
# who we are
instanceName = node-7

brokerURL=failover\\:(tcp\\://a\\:61616,\\
    tcp\\://b\\:61616)
  ! the end
durable:false
own.key=caf\u00e9
`;

test('a change leaves everything else of the file as it is', () => {
  const table: [changes: [string, string | undefined][], from: string | RegExp, to: string][] = [
    [[], '', ''],
    [[['toggleSlave', 'false']], 'toggleSlave=true', 'toggleSlave=false'],
    [[['instanceName', 'a b']], 'instanceName = node-7', 'instanceName=a b'],
    [[['brokerURL', 'ws://c:1']], /brokerURL=[^!]*\n(?= {2}!)/, 'brokerURL=ws://c:1\n'],
    [[['durable', undefined]], 'durable:false\n', ''],
    [[['role', 'paused']], /$/, 'role=paused\n'],
  ];
  for (const [changes, from, to] of table) {
    const edited = editProperties(FILE, new Map(changes));
    assert.equal(
      edited,
      FILE.replace(from, () => to),
      JSON.stringify(changes),
    );
    for (const [key, value] of changes) assert.equal(propertiesOf(edited).get(key), value);
  }
});

test('any value comes back as it was written', () => {
  for (const value of [
    '',
    ' leading',
    'a=b:c',
    '#no comment',
    'back\\slash',
    'Ünï – 東京',
    'C:\\data\\new',
    '\ttab',
    'x\\',
  ])
    for (const key of ['plain', 'with space', 'a=b', '#k', 'ключ']) {
      const text = editProperties('# first\n', new Map([[key, value]]));
      assert.equal(propertiesOf(text).get(key), value, JSON.stringify([key, value, text]));
      assert.match(text, /^# first\n/);
      assert.equal(propertiesOf(editProperties(text, new Map([[key, 'z']]))).get(key), 'z', text);
    }
});

test('of a key that is there twice, the line that counts is changed; line ends stay', () => {
  assert.equal(editProperties('a=1\r\nb=2\r\na=3', new Map([['a', '4']])), 'a=1\r\nb=2\r\na=4\r\n');
  assert.equal(editProperties('a=1', new Map([['c', '5']])), 'a=1\nc=5\n');
  assert.equal(editProperties('a=1\nb=2\na=3\n', new Map([['a', undefined]])), 'b=2\n');
});

test('a file is replaced at once or not at all, and keeps its mode', () => {
  const folder = temporaryFolder('properties');
  const file = path.join(folder, 'cluster.properties');
  assert.equal(readPropertiesText(file), undefined);
  prepareProperties(file, 'a=1\n').commit();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, 'a=1\n');
  const prepared = prepareProperties(file, 'a=\u00e9\n');
  assert.equal(readFileSync(file, 'latin1'), 'a=1\n');
  prepared.discard();
  assert.deepEqual(readdirSync(folder), ['cluster.properties']);
  prepareProperties(file, 'a=\u00e9\n').commit();
  assert.equal(readPropertiesText(file), 'a=\u00e9\n');
  assert.throws(() => prepareProperties(path.join(file, 'x', 'cluster.properties'), ''), /cannot be written/);
});
