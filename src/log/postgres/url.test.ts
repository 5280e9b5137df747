import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../base/index.ts';
import { parsePostgresUrl, placeText, schemaOfGroup } from './url.ts';

test('URLs are read as libpq reads them', () => {
  assert.deepEqual(parsePostgresUrl('postgres://me:a%40b@db.example.org/gis'), {
    servers: [{ host: 'db.example.org', port: 5432 }],
    database: 'gis',
    user: 'me',
    password: 'a@b',
    sslMode: 'prefer',
  });
  assert.deepEqual(parsePostgresUrl('postgresql://a,b:5433,[::1]:1/x?target_session_attrs=read-write').servers, [
    { host: 'a', port: 5432 },
    { host: 'b', port: 5433 },
    { host: '::1', port: 1 },
  ]);
  assert.deepEqual(parsePostgresUrl('postgres:///x?host=/run/pg,other&port=1,2').servers, [
    { host: '/run/pg', port: 1 },
    { host: 'other', port: 2 },
  ]);
  assert.deepEqual(parsePostgresUrl('postgres://'), {
    servers: [{ host: 'localhost', port: 5432 }],
    sslMode: 'prefer',
  });
  const { servers, ...rest } = parsePostgresUrl(
    'postgres://h/?user=u&password=p%26q&dbname=d&sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3&application_name=me&schema=s_1&connections=5',
  );
  assert.deepEqual(rest, {
    database: 'd',
    user: 'u',
    password: 'p&q',
    sslMode: 'verify-full',
    sslRootCert: '/ca.pem',
    connectTimeoutMs: 3000,
    applicationName: 'me',
    connections: 5,
    schema: 's_1',
  });
});

test('what is wrong with a URL is said, and never its password', () => {
  const table: [url: string, says: RegExp][] = [
    ['postgres://u:hunter2/x@h/db', /port|form/],
    ['postgres://u:hunter2%zz@h/db', /%25/],
    ['postgres://u:hunter2@h:0/db', /server 1/],
    ['postgres://u:hunter2@a,b:x/db', /server 2/],
    ['postgres://u:hunter2@h/db?sslmode=maybe', /sslmode/],
    ['postgres://u:hunter2@h/db?target_session_attrs=standby', /target_session_attrs/],
    ['postgres://u:hunter2@h/db?schema=Bad"name', /schema/],
    ['postgres://u:hunter2@h/db?schema=pg_mine', /schema/],
    ['postgres://u:hunter2@h/db?connections=1', /connections/],
    ['postgres://u:hunter2@h/db?colour=red', /"colour".*sslmode/],
    ['mysql://u:hunter2@h/db', /form/],
  ];
  for (const [url, says] of table)
    assert.throws(
      () => parsePostgresUrl(url),
      (error) => {
        assert.ok(error instanceof UserError && error.status === 400, url);
        assert.match(error.message, says);
        assert.ok(!error.message.includes('hunter2'), error.message);
        return true;
      },
    );
});

test('where a log is, is told without who', () => {
  assert.equal(placeText(parsePostgresUrl('postgres://me:secret@a,[::1]:2/gis')), 'gis at a:5432, [::1]:2');
});

test('each group has a schema with a name that needs no quotation marks', () => {
  assert.equal(schemaOfGroup('geoserver-cluster'), 'graticule_geoserver_cluster');
  assert.equal(schemaOfGroup('prod.eu'), 'graticule_prod_eu');
  const names = ['Prod', 'prod', 'pröd', 'x'.repeat(60), 'x'.repeat(61)].map(schemaOfGroup);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z_][a-z0-9_]{0,62}$/);
});
