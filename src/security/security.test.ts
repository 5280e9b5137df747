import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { REAL_DATA } from '../../test/real-data.ts';
import { type Clock, silentLogger } from '../base/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import type { TreePath } from '../tree/index.ts';
import { Authenticator, checkPassword, newSecurityFiles, parseProperties, RestRules, readRegistry } from './index.ts';
import { encodePassword } from './passwords.ts';
import { antPath } from './rest-rules.ts';

/** A tree that is only files. */
function filesOf(contents: Record<string, string | Uint8Array>): CatalogView {
  const hash = (name: string) =>
    contents[name] === undefined ? undefined : createHash('sha256').update(contents[name]).digest('hex');
  return {
    read: (name: string) => (contents[name] === undefined ? undefined : Buffer.from(contents[name])),
    hash,
    list: () => [],
    exists: (name: string) => contents[name] !== undefined,
  } as unknown as CatalogView;
}

const impatient: Clock = { now: () => 0, monotonicMs: () => 0, sleep: async () => {} };
const authenticator = (adminPassword?: string) =>
  new Authenticator({ adminPassword, clock: impatient, key: new Uint8Array(32), logger: silentLogger });

const users = (body: string) =>
  `<userRegistry xmlns="http://www.geoserver.org/security/users" version="1.0">${body}</userRegistry>`;
const roles = (body: string) =>
  `<roleRegistry xmlns="http://www.geoserver.org/security/roles" version="1.0">${body}</roleRegistry>`;

test('passwords in every encoding', async () => {
  const digest = await encodePassword('correct horse', new Uint8Array(16).fill(7));
  const table: [password: string, encoded: string, kind: string][] = [
    // Made by GeoServer 2.27 itself.
    ['geoserver', 'digest1:D9miJH/hVgfxZJscMafEtbtliG0ROxhLfsznyWfG38X2pda2JOSV4POi55PQI4tw', 'match'],
    ['Geoserver', 'digest1:D9miJH/hVgfxZJscMafEtbtliG0ROxhLfsznyWfG38X2pda2JOSV4POi55PQI4tw', 'mismatch'],
    ['correct horse', digest, 'match'],
    ['', digest, 'mismatch'],
    ['x', 'digest1:c2hvcnQ=', 'unreadable'],
    ['x', 'plain:x', 'match'],
    ['x ', 'plain:x', 'mismatch'],
    ['a:b', 'plain:a:b', 'match'],
    ['x', 'x', 'match'],
    ['y', 'x', 'mismatch'],
    ['x', 'crypt1:AAAA', 'unreadable'],
    ['x', 'crypt2:AAAA', 'unreadable'],
    ['', '', 'unreadable'],
    ['', 'plain:', 'match'],
  ];
  for (const [password, encoded, kind] of table)
    assert.equal((await checkPassword(password, encoded)).kind, kind, `${password} against ${encoded}`);
});

test('checking a password lets other work go on', async () => {
  const digest = await encodePassword('a', new Uint8Array(16));
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await checkPassword('b', digest);
  clearInterval(timer);
  assert.ok(turns >= 5, `${turns} timers ran meanwhile`);
});

test('properties files as Java reads them', () => {
  const text = [
    '# comment',
    '! comment',
    'a=1',
    ' b : 2',
    'c 3',
    'd\\=e=4',
    'long=one,\\',
    '   two',
    'u=\\u00e9\\tx',
    'empty',
    'a=5',
    'ws\\\\.x.r=*',
    '/**;GET=ADMIN',
  ].join('\n');
  assert.deepEqual(
    [...parseProperties(Buffer.from(text, 'latin1'))],
    [
      ['a', '5'],
      ['b', '2'],
      ['c', '3'],
      ['d=e', '4'],
      ['long', 'one,two'],
      ['u', 'é\tx'],
      ['empty', ''],
      ['ws\\.x.r', '*'],
      ['/**;GET', 'ADMIN'],
    ],
  );
});

test('roles come from the user, from groups and from parents', () => {
  const registry = readRegistry(
    filesOf({
      'security/usergroup/default/users.xml': users(
        '<users><user name="ann" password="plain:a" enabled="true"/><user name="bob" password="plain:b" enabled="false"/></users>' +
          '<groups><group name="editors" enabled="true"><member username="ann"/></group><group name="off" enabled="false"><member username="ann"/></group></groups>',
      ),
      'security/role/default/config.xml': '<roleService><adminRoleName>BOSS</adminRoleName></roleService>',
      'security/role/default/roles.xml': roles(
        '<roleList><role id="BOSS"/><role id="EDITOR" parentID="READER"/><role id="READER" parentID="EDITOR"/></roleList>' +
          '<userList><userRoles username="bob"><roleRef roleID="BOSS"/></userRoles></userList>' +
          '<groupList><groupRoles groupname="editors"><roleRef roleID="EDITOR"/></groupRoles><groupRoles groupname="off"><roleRef roleID="BOSS"/></groupRoles></groupList>',
      ),
    }),
  );
  assert.deepEqual([...registry.rolesOf('ann')].sort(), ['EDITOR', 'READER', 'ROLE_ANONYMOUS', 'ROLE_AUTHENTICATED']);
  assert.ok(registry.rolesOf('bob').has('ROLE_ADMINISTRATOR'));
  assert.equal(registry.users('bob')[0]!.enabled, false);
});

test('services are found by the names in the configuration', () => {
  const registry = readRegistry(
    filesOf({
      'security/config.xml':
        '<security><roleServiceName>r</roleServiceName><authProviderNames><string>p</string></authProviderNames></security>',
      'security/auth/p/config.xml':
        '<usernamePassword><userGroupServiceName>ug</userGroupServiceName></usernamePassword>',
      'security/usergroup/ug/config.xml': '<userGroupService><fileName>people.xml</fileName></userGroupService>',
      'security/usergroup/ug/people.xml': users('<users><user name="ann" password="plain:a"/></users><groups/>'),
      'security/role/r/roles.xml': roles(
        '<userList><userRoles username="ann"><roleRef roleID="ADMIN"/></userRoles></userList>',
      ),
    }),
  );
  assert.equal(registry.userCount, 1);
  assert.ok(registry.rolesOf('ann').has('ROLE_ADMINISTRATOR'));
});

test('names in configuration cannot leave the folder', () => {
  const read: string[] = [];
  const view = filesOf({ 'security/config.xml': '<security><roleServiceName>../../x</roleServiceName></security>' });
  const noted = (name: TreePath) => {
    read.push(name);
    return view.read(name);
  };
  readRegistry({ ...view, read: noted });
  assert.deepEqual(
    read.filter((name) => name.includes('..')),
    [],
  );
});

test('who gets in', async () => {
  const contents: Record<string, string> = {
    'security/usergroup/default/users.xml': users(
      '<users><user name="admin" password="plain:file"/><user name="ann" password="plain:a"/><user name="off" password="plain:o" enabled="false"/><user name="old" password="crypt1:xyz"/></users>',
    ),
    'security/role/default/roles.xml': roles(
      '<userList><userRoles username="admin"><roleRef roleID="ADMIN"/></userRoles></userList>',
    ),
  };
  const table: [override: string | undefined, user: string, password: string, kind: string, isAdmin?: boolean][] = [
    [undefined, 'admin', 'file', 'granted', true],
    [undefined, 'admin', 'wrong', 'refused'],
    [undefined, 'ann', 'a', 'granted', false],
    [undefined, 'Ann', 'a', 'refused'],
    [undefined, 'off', 'o', 'refused'],
    [undefined, 'old', 'anything', 'refused'],
    [undefined, 'nobody', 'a', 'refused'],
    ['override', 'admin', 'override', 'granted', true],
    ['override', 'admin', 'file', 'refused'],
    ['override', 'ann', 'a', 'granted', false],
    ['override', 'ann', 'override', 'refused'],
  ];
  for (const [override, user, password, kind, isAdmin] of table) {
    const answer = await authenticator(override).authenticate({ user, password }, filesOf(contents));
    assert.equal(answer.kind, kind, `${user}:${password}, override ${override}`);
    if (answer.kind === 'granted') assert.deepEqual([answer.principal.name, answer.principal.isAdmin], [user, isAdmin]);
    else assert.doesNotMatch(answer.message, /disabled|no such|crypt/, 'the client is not told which part was wrong');
  }
});

test('without users nobody gets in, unless the operator gives a password', async () => {
  const empty = filesOf({});
  const closed = await authenticator().authenticate({ user: 'admin', password: '' }, empty);
  assert.equal(closed.kind, 'refused');
  assert.match(closed.kind === 'refused' ? closed.message : '', /GEOSERVER_ADMIN_PASSWORD/);
  const open = await authenticator('secret').authenticate({ user: 'admin', password: 'secret' }, empty);
  assert.ok(open.kind === 'granted' && open.principal.isAdmin);
});

test('right credentials are remembered until the file changes', async () => {
  const files = await newSecurityFiles({ adminPassword: 'one', salt: new Uint8Array(16) });
  const contents = Object.fromEntries(files.map((file) => [file.path, file.bytes]));
  const who = authenticator();
  const login = (password: string) => who.authenticate({ user: 'admin', password }, filesOf(contents));
  assert.equal((await login('one')).kind, 'granted');
  const start = performance.now();
  for (let i = 0; i < 100; i++) assert.equal((await login('one')).kind, 'granted');
  assert.ok(performance.now() - start < 1_000, 'a hundred further requests cost less than a hundred digests');
  const changed = await newSecurityFiles({ adminPassword: 'two', salt: new Uint8Array(16) });
  for (const file of changed) contents[file.path] = file.bytes;
  assert.equal((await login('one')).kind, 'refused');
  assert.equal((await login('two')).kind, 'granted');
});

test('wrong passwords are answered later and later', async () => {
  const slept: number[] = [];
  const clock: Clock = { ...impatient, sleep: async (ms) => void slept.push(ms) };
  const who = new Authenticator({ adminPassword: 'x', clock, key: new Uint8Array(32), logger: silentLogger });
  for (let i = 0; i < 7; i++) await who.authenticate({ user: 'admin', password: 'y' }, filesOf({}));
  assert.deepEqual(slept, [100, 200, 400, 800, 1600, 2000, 2000]);
});

test('a damaged file gives nobody a right and is reported', async () => {
  const view = filesOf({ 'security/usergroup/default/users.xml': '<userRegistry><users>' });
  assert.equal(readRegistry(view).problems.length, 1);
  assert.equal((await authenticator().authenticate({ user: 'a', password: '' }, view)).kind, 'refused');
});

test('ant paths', () => {
  const table: [pattern: string, path: string, fits: boolean][] = [
    ['/**', '/rest', true],
    ['/**', '/rest/workspaces/a.json', true],
    ['/rest/**', '/rest', true],
    ['/rest/**', '/rest/a/b', true],
    ['/rest/**', '/restful', false],
    ['/rest/workspaces/topp*', '/rest/workspaces/topp.xml', true],
    ['/rest/workspaces/topp*', '/rest/workspaces/topp/datastores', false],
    ['/rest/*/topp', '/rest/workspaces/topp', true],
    ['/rest/**/layers', '/rest/a/b/layers', true],
    ['/rest/**/layers', '/rest/layers', true],
    ['/rest/a?', '/rest/ab', true],
    ['/rest/a?', '/rest/a/', false],
    ['/rest/a.b', '/rest/axb', false],
  ];
  for (const [pattern, name, fits] of table) assert.equal(antPath(pattern).test(name), fits, `${pattern} on ${name}`);
});

test('rules for REST', () => {
  const admin = { name: 'admin', roles: ['ROLE_ADMINISTRATOR'], isAdmin: true };
  const editor = { name: 'ed', roles: ['EDITOR'], isAdmin: false };
  const lax = filesOf({
    'security/rest.properties':
      '/rest/workspaces/topp/**;GET,PUT=EDITOR\n/**;GET=IS_AUTHENTICATED_ANONYMOUSLY\n/**;POST,DELETE,PUT=ADMIN\n',
  });
  const table: [view: CatalogView, who: typeof admin | undefined, method: string, path: string, access: string][] = [
    [filesOf({}), undefined, 'GET', '/rest/layers', 'login-needed'],
    [filesOf({}), editor, 'GET', '/rest/layers', 'forbidden'],
    [filesOf({}), admin, 'GET', '/rest/layers', 'granted'],
    [filesOf({}), admin, 'PATCH', '/rest/layers', 'granted'],
    [lax, undefined, 'GET', '/rest/layers', 'granted'],
    [lax, undefined, 'HEAD', '/rest/layers', 'granted'],
    [lax, undefined, 'GET', '/rest/workspaces/topp/styles', 'login-needed'],
    [lax, editor, 'PUT', '/rest/workspaces/topp/styles/a', 'granted'],
    [lax, editor, 'POST', '/rest/workspaces/topp/styles', 'forbidden'],
    [lax, undefined, 'PATCH', '/rest/layers', 'login-needed'],
    [lax, editor, 'PATCH', '/rest/layers', 'forbidden'],
  ];
  for (const [view, who, method, name, access] of table)
    assert.equal(new RestRules().access({ method, path: name }, who, view), access, `${who?.name} ${method} ${name}`);
});

test('users and roles of real data directories', {
  skip: !existsSync(REAL_DATA) && `no ${REAL_DATA}`,
}, () => {
  const found: Record<string, number> = {};
  for (const name of readdirSync(REAL_DATA)) {
    const read = (file: string) => {
      const full = path.join(REAL_DATA, name, file);
      return existsSync(full) ? readFileSync(full) : undefined;
    };
    const view = { read, hash: () => undefined, list: () => [] } as never;
    const registry = readRegistry(view);
    assert.deepEqual(registry.problems, [], name);
    found[name] = registry.userCount;
    if (name.startsWith('geoserver-release')) assert.ok(registry.rolesOf('admin').has('ROLE_ADMINISTRATOR'), name);
  }
  assert.equal(found['geoserver-release-2.27'], 1);
});
