import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { makeAuthority, makeCertificate, NO_OPENSSL } from '../../../test/certificates.ts';
import { type Postgres, postgresMissing, startPostgres } from '../../../test/services/postgres.ts';
import { type Logger, silentLogger } from '../../base/index.ts';
import { START } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { appendTimes, at, body, fill, range, status, take, testBlob, texts } from '../contract/testing.ts';
import { until } from '../contract.ts';
import { LogRefusedError } from '../errors.ts';
import { openPostgresLog, type PostgresLogOptions } from './index.ts';

const HBA = `local all all trust
host all test 127.0.0.1/32 trust
hostssl all secure 127.0.0.1/32 trust
hostnossl all secure 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
`;

describe('a node in front of PostgreSQL', { skip: postgresMissing }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-pg-test-'));
  let server: Postgres;
  let database: string;
  const logs: ChangeLog[] = [];

  before(async () => {
    writeFileSync(path.join(folder, 'hba'), HBA, { mode: 0o644 });
    // The server runs as another user.
    chmodSync(folder, 0o755);
    server = await startPostgres({ hba_file: path.join(folder, 'hba'), password_encryption: 'scram-sha-256' });
    database = await server.createDatabase();
  });
  after(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const open = (url: string, options: Partial<PostgresLogOptions> = {}) => {
    const log = openPostgresLog({ url, ...options });
    logs.push(log);
    return log;
  };
  const admin = async (sql: string, into = database) => {
    const client = new pg.Client(server.url(into));
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const at127 = (user: string, into = database, more = '') =>
    `postgres://${user}@127.0.0.1:${server.port}/${into}${more}`;

  const refusals: [name: string, url: () => string, options: Partial<PostgresLogOptions>, says: RegExp][] = [
    ['a wrong password', () => at127('guest:hunter2'), {}, /password authentication failed for user "guest".*pg_hba/],
    ['no password', () => at127('guest'), {}, /password.*PGPASSWORD/],
    ['a database that does not exist', () => at127('test', 'nowhere'), {}, /"nowhere" does not exist.*CREATE DATABASE/],
    ['a role without rights', () => at127('guest:right'), {}, /permission denied.*docs\/engines\/postgresql.md/],
    ['a server without TLS', () => at127('test', database, '?sslmode=require'), {}, /does not support SSL.*ssl = on/],
    [
      'a group whose schema is another’s',
      () => at127('test', database, '?schema=mine'),
      { group: 'x' },
      /group mine.*--group mine.*schema=/,
    ],
    ['tables of a newer version', () => at127('test', database, '?schema=newer'), {}, /newer version/],
    [
      'a file of authorities that is missing',
      () => at127('test', database, '?sslmode=verify-full&sslrootcert=/nowhere.pem'),
      {},
      /sslrootcert.*nowhere/,
    ],
  ];

  it('is told why it is refused and what helps, and its password is nowhere', async () => {
    await admin("CREATE ROLE guest LOGIN PASSWORD 'right'");
    await open(at127('test', database, '?schema=mine'), { group: 'mine' }).head();
    await open(at127('test', database, '?schema=newer')).head();
    await admin('UPDATE newer.log SET version = 99');
    for (const [name, url, options, says] of refusals) {
      const lines: string[] = [];
      const write = (event: string, facts?: object) => lines.push(`${event} ${JSON.stringify(facts)}`);
      const logger: Logger = { ...silentLogger, info: write, warn: write, error: write };
      const log = open(url(), { ...options, logger });
      await assert.rejects(log.head(), (error) => {
        assert.ok(error instanceof LogRefusedError, `${name}: ${error}`);
        assert.match(error.message, says, name);
        assert.ok(
          !/hunter2|right/.test(error.message.replace('rights', '').replace('right to', '').replace('right', '')),
        );
        return true;
      });
      await until(() => lines.some((line) => line.startsWith('log-refused')), 'a line in the log');
      assert.ok(!lines.join().includes('hunter2'), lines.join());
      await log.close();
    }
  });

  it('works with a role that has only the rights of the documentation', async () => {
    const text = readFileSync(path.resolve(import.meta.dirname, '../../../docs/engines/postgresql.md'), 'utf8');
    const script = /```sql\n([\s\S]*?)```/.exec(text)![1]!;
    const own = await server.createDatabase();
    await admin("CREATE ROLE graticule LOGIN PASSWORD 'right'", own);
    await admin(script, own);
    await open(at127('test', own, '?schema=made')).head();
    const columns = (schema: string) =>
      admin(
        `SELECT c.relname, c.relpersistence, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
           pg_get_expr(d.adbin, d.adrelid) AS fallback
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = '${schema}'::regnamespace AND c.relkind IN ('r', 'i') AND a.attnum > 0 ORDER BY 1, a.attnum`,
        own,
      );
    assert.deepEqual(await columns('graticule_geoserver_cluster'), await columns('made'));

    const log = open(at127('graticule:right', own), { tidyEveryMs: 50, graceMs: 0 });
    await fill(log, 600);
    await log.announce(status('a', 1));
    const blob = testBlob(2);
    await log.putBlob(blob.hash, blob);
    for (const position of [1, 599, 599])
      await log.putSnapshot(at(position), Readable.from([Buffer.from(`${position}`)]));
    await log.trim(at(599));
    assert.equal((await buffer((await log.latestSnapshot())!.body)).toString(), '599');
    await log.removeBlobs([blob.hash], new Date(Date.now() + 1000).toISOString());
    // All that is gone leaves the disk, too.
    const left = async () =>
      (
        await admin(
          `SELECT (SELECT count(*)::int FROM record) AS records, (SELECT count(*)::int FROM chunk) AS chunks, (SELECT count(*)::int FROM garbage) AS garbage`.replaceAll(
            'FROM ',
            'FROM graticule_geoserver_cluster.',
          ),
          own,
        )
      )[0];
    await until(
      async () => JSON.stringify(await left()) === '{"records":1,"chunks":1,"garbage":0}',
      'the rest to be removed',
    );
    assert.deepEqual(texts(await take(log, at(599), 1)), ['600']);
    await assert.rejects(admin('SELECT 1 FROM nowhere', own));
  });

  it('may come with others at the same time: the tables are made once', async () => {
    const own = await server.createDatabase();
    const handles = range(1, 8).map(() => open(at127('test', own)));
    assert.deepEqual(await Promise.all(handles.map((log) => log.head())), Array(8).fill(0));
    const results = await Promise.all(handles.map((log) => log.append(START, body('x'))));
    assert.equal(results.filter(({ kind }) => kind === 'appended').length, 1);
    for (const result of results) if (result.kind === 'head-moved') assert.equal(result.head, 1);
  });

  it('writes of a batch what it says, whatever its rivals do', async () => {
    const own = await server.createDatabase();
    const rivals = range(1, 4).map(() => open(at127('test', own)));
    const expected: string[] = [];
    for (let round = 0; round < 25; round++) {
      const base = expected.length;
      // Of different lengths: where a shorter one was faster, the end of a longer one has no rival.
      const asked = rivals.flatMap((log, r) =>
        range(0, 2 ** (r + 1) - 1).map(async (n) => {
          const text = `${round} ${r} ${n}`;
          const result = await log.append(at(base + n), body(text));
          if (result.kind === 'appended') expected[result.position - 1] = text;
          else assert.notEqual(result.head, base + n);
        }),
      );
      await Promise.all(asked);
      assert.ok(expected.length > base);
      assert.equal(await rivals[0]!.head(), expected.length);
    }
    assert.deepEqual(texts(await take(rivals[1]!, START, expected.length)), expected);
  });

  it('gives no place twice, not even one that was trimmed while an append stood still', async () => {
    const own = await server.createDatabase();
    const log = open(at127('test', own, '?schema=slow'), { tidyEveryMs: 20, graceMs: 0 });
    const rival = open(at127('test', own, '?schema=slow'), { tidyEveryMs: 20, graceMs: 0 });
    await log.append(START, body('first'));
    await admin(
      `CREATE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.body = 'slow'::bytea THEN PERFORM pg_sleep(1); END IF; RETURN NEW; END $$;
       CREATE TRIGGER stand_still BEFORE INSERT ON slow.record FOR EACH ROW EXECUTE FUNCTION stand_still()`,
      own,
    );
    const slow = log.append(at(1), body('slow'));
    await until(
      async () => (await admin(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`, own)).length > 0,
      'the append to stand still',
    );
    assert.deepEqual(await rival.append(at(1), body('fast')), { kind: 'appended', position: 2 });
    await rival.putSnapshot(at(2), Readable.from([Buffer.from('x')]));
    await rival.trim(at(2));
    assert.deepEqual(await slow, { kind: 'head-moved', head: 2 });
    assert.deepEqual(await rival.append(at(2), body('third')), { kind: 'appended', position: 3 });
    assert.deepEqual(texts(await take(log, at(2), 1)), ['third']);
  });

  it('tells the others of its last record before it goes', async () => {
    const own = await server.createDatabase();
    // Who is not told, finds out too late.
    const reader = open(at127('test', own), { pollMs: 60_000 });
    const reading = take(reader, START, 3);
    await reader.head();
    for (let n = 0; n < 3; n++) {
      const writer = open(at127('test', own), { pollMs: 60_000 });
      assert.deepEqual(await writer.append(at(n), body(`${n}`)), { kind: 'appended', position: n + 1 });
      const closedMs = performance.now();
      await writer.close();
      assert.ok(performance.now() - closedMs < 900, 'it waits for nothing');
    }
    assert.deepEqual(texts(await reading), ['0', '1', '2']);
  });

  it('waits for the disk, and never for a plan to be compiled, whatever the server’s defaults are, and says what it promises', async () => {
    await admin(`ALTER DATABASE ${database} SET synchronous_commit = off`);
    const log = open(at127('test', database, '?application_name=looked-at'));
    await log.append(START, body('x'));
    // This server does not sync its files.
    assert.equal(log.promises.durability, 'process-crash');
    const hidden = open(`${at127('test', database)}?schema=level`);
    await hidden.head();
    await admin(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.levels VALUES (current_setting('synchronous_commit'), current_setting('jit')); RETURN NULL; END $$;
      CREATE TABLE levels (level text, jit text);
      CREATE TRIGGER note AFTER INSERT ON level.record EXECUTE FUNCTION note()`);
    await hidden.append(START, body('x'));
    assert.deepEqual(await admin('SELECT DISTINCT level, jit FROM levels'), [{ level: 'on', jit: 'off' }]);
  });

  it('of several servers takes the primary, and finds it again', async () => {
    const readOnly = await startPostgres({ default_transaction_read_only: 'on' });
    try {
      const log = open(
        `postgres://test@127.0.0.1:1,127.0.0.1:${readOnly.port},127.0.0.1:${server.port}/postgres?target_session_attrs=read-write`,
      );
      assert.deepEqual(await log.append(START, body('x')), { kind: 'appended', position: 1 });
      await server.kill('SIGKILL');
      await assert.rejects(log.head(), (error: Error) => {
        assert.ok(!(error instanceof LogRefusedError));
        assert.match(error.message, /ECONNREFUSED|closed|terminated|standby/);
        return true;
      });
      await server.restart();
      await until(
        () =>
          log.head().then(
            (head) => head === 1,
            () => false,
          ),
        'the primary',
      );
    } finally {
      await readOnly.stop();
    }
  });

  it('follows a failover to a standby, and nothing that was acknowledged is lost', async () => {
    const primary = await startPostgres();
    const standby = await startPostgres({}, primary);
    try {
      const ask = async (which: Postgres, sql: string) => {
        const client = new pg.Client(which.url('postgres'));
        await client.connect();
        const { rows } = await client.query(sql).finally(() => client.end());
        return rows[0];
      };
      // An acknowledged commit is on both.
      await ask(primary, `ALTER SYSTEM SET synchronous_standby_names = '*'`);
      await ask(primary, 'SELECT pg_reload_conf()');
      await until(
        () => ask(primary, 'SELECT count(*)::int AS n FROM pg_stat_replication').then(({ n }) => n === 1),
        'the standby',
      );
      const url = `postgres://test@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/postgres?target_session_attrs=primary`;
      const [writer, reader] = [open(url), open(url)];
      const total = 150;
      const reading = take(reader, START, total);
      let failover: Promise<unknown> | undefined;
      const written = await appendTimes(writer, 'w', total, (n) => {
        if (n === 50) failover = primary.kill('SIGKILL').then(() => ask(standby, 'SELECT pg_promote()'));
      });
      await failover;
      assert.deepEqual(
        texts(await reading),
        written.map(([, text]) => text),
      );
      // Signs of life are not kept, and begin anew.
      await writer.announce(status('a', 1));
    } finally {
      await standby.stop();
      await primary.stop();
    }
  });

  it('speaks TLS as sslmode says', { skip: NO_OPENSSL }, async () => {
    const authority = makeAuthority(folder, 'authority');
    const stranger = makeAuthority(folder, 'stranger');
    const { cert, key } = makeCertificate(folder, 'server', authority, { hosts: 'DNS:localhost' });
    const [{ data_directory: data }] = (await admin('SHOW data_directory')) as [{ data_directory: string }];
    const owner = statSync(data);
    for (const file of [cert, key]) if (process.getuid?.() === 0) chownSync(file, owner.uid, owner.gid);
    for (const [name, value] of Object.entries({ ssl: 'on', ssl_cert_file: cert, ssl_key_file: key }))
      await admin(`ALTER SYSTEM SET ${name} = '${value}'`);
    await admin('SELECT pg_reload_conf()');
    await admin('CREATE ROLE secure LOGIN; GRANT test TO secure');
    await until(() => admin('SHOW ssl').then(([row]) => row.ssl === 'on'), 'TLS');
    const outcome = (user: string, host: string, more: string) =>
      open(`postgres://${user}@${host}:${server.port}/${database}?schema=tls&${more}`)
        .head()
        .then(
          () => 'in',
          (error: Error) => error.message,
        );
    assert.equal(await outcome('test', '127.0.0.1', 'sslmode=disable'), 'in');
    for (const mode of ['allow', 'prefer', 'require'])
      assert.equal(await outcome('secure', '127.0.0.1', `sslmode=${mode}`), 'in');
    assert.match(await outcome('secure', '127.0.0.1', 'sslmode=disable'), /no encryption.*pg_hba/);
    assert.match(await outcome('test', 'localhost', 'sslmode=verify-full'), /authority.*sslrootcert/);
    const known = `sslrootcert=${authority.cert}`;
    assert.equal(await outcome('test', 'localhost', `sslmode=verify-full&${known}`), 'in');
    assert.equal(await outcome('test', '127.0.0.1', `sslmode=verify-ca&${known}`), 'in');
    assert.match(await outcome('test', '127.0.0.1', `sslmode=verify-full&${known}`), /another name/);
    assert.match(await outcome('test', '127.0.0.1', `sslmode=require&sslrootcert=${stranger.cert}`), /authority/);
  });
});
