import assert from 'node:assert/strict';
import { test } from 'node:test';
import { treePath } from '../../tree/index.ts';
import { isSecretFile, maskSecrets } from './secrets.ts';

test('secrets are masked in every form that they take', () => {
  const table: [text: string, masked: string][] = [
    ['<entry key="passwd">geheim</entry>', '<entry key="passwd">***</entry>'],
    ["<entry key='Secret Access Key'>geheim</entry>", "<entry key='Secret Access Key'>***</entry>"],
    ['<entry key="passwd">geh\neim</entry>', '<entry key="passwd">***</entry>'],
    ['<entry key="passwd"><![CDATA[geheim]]></entry>', '<entry key="passwd">***</entry>'],
    [
      '<entry>\n  <string>passwd</string>\n  <string>geheim</string>\n</entry>',
      '<entry>\n  <string>passwd</string>\n  <string>***</string>\n</entry>',
    ],
    ['<password>geheim</password>', '<password>***</password>'],
    ['<ldap:bindPassword x="1">geheim</ldap:bindPassword>', '<ldap:bindPassword x="1">***</ldap:bindPassword>'],
    ['<clientSecret><![CDATA[a<b]]></clientSecret>', '<clientSecret>***</clientSecret>'],
    ['<user name="ann" password="geheim"/>', '<user name="ann" password="***"/>'],
    [
      '<entry key="url">jdbc:postgresql://h/d?user=u&amp;password=geheim&amp;x=1</entry>',
      '<entry key="url">jdbc:postgresql://h/d?user=u&amp;password=***&amp;x=1</entry>',
    ],
    [
      '<capabilitiesURL>https://ann:geheim@h/wms</capabilitiesURL>',
      '<capabilitiesURL>https://ann:***@h/wms</capabilitiesURL>',
    ],
    ['{"api_key": "geh\\"eim", "name": "x"}', '{"api_key": "***", "name": "x"}'],
    ['host=h\ndb.password=geheim\nuser=u', 'host=h\ndb.password=***\nuser=u'],
    ['  token: geheim', '  token: ***'],
    [
      '<entry key="user">ann</entry><entry key="passwd"></entry>',
      '<entry key="user">ann</entry><entry key="passwd"></entry>',
    ],
    ['<entry key="passwd"/><entry key="host">h</entry>', '<entry key="passwd"/><entry key="host">h</entry>'],
    ['<layer><name>passwords</name></layer>', '<layer><name>passwords</name></layer>'],
  ];
  for (const [text, masked] of table) assert.equal(maskSecrets(text, undefined)[0], masked, text);
});

test('that a secret is another one is seen', () => {
  const entry = (secret: string) => `<a>\n<entry key="passwd">${secret}</entry>\n</a>`;
  assert.deepEqual(maskSecrets(entry('one'), entry('two')), [entry('***'), entry('*** (changed)')]);
  assert.deepEqual(maskSecrets(entry('one'), entry('one')), [entry('***'), entry('***')]);
  assert.deepEqual(maskSecrets(undefined, entry('one')), [undefined, entry('***')]);
});

test('of some files nothing is shown', () => {
  const table: [path: string, secret: boolean][] = [
    ['security/usergroup/default/users.xml', true],
    ['security/geoserver.jceks', true],
    ['security/masterpw.digest', true],
    ['security/masterpw/default/passwd', true],
    ['security/whatever.txt', true],
    ['security/role/default/roles.xml', false],
    ['security/config.xml', false],
    ['security/rest.properties', false],
    ['workspaces/topp/db/datastore.xml', false],
    ['workspaces/topp/key.pem', true],
  ];
  for (const [path, secret] of table) assert.equal(isSecretFile(treePath(path)), secret, path);
});

test('long texts without end are masked in no time', () => {
  const started = performance.now();
  for (const text of [
    'a'.repeat(1_000_000),
    '<entry key="passwd">'.repeat(20_000),
    '<password>'.repeat(20_000),
    `${'password '.repeat(100_000)}=`,
  ])
    maskSecrets(text, text);
  assert.ok(performance.now() - started < 10_000, `${Math.round(performance.now() - started)} ms`);
});
