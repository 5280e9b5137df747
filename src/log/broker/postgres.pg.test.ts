/** Brokers on PostgreSQL: the contract, and in processes of their own. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { adjacentPorts } from '../../../test/free-ports.ts';
import { type Postgres, postgresMissing, startPostgres } from '../../../test/services/postgres.ts';
import { type Position, START } from '../../tree/index.ts';
import { persist } from '../contract/testing.ts';
import { until } from '../contract.ts';
import { brokerContract, client, failoverContract, hears, isActive, sessionContract, startBroker } from './testing.ts';

describe('brokers in front of PostgreSQL', { skip: postgresMissing }, () => {
  let server: Postgres;
  before(async () => {
    server = await startPostgres({ synchronous_commit: 'off', max_connections: '100' });
  });
  after(() => server?.stop());
  const newPlace = async () => server.url(await server.createDatabase());

  brokerContract('a broker on PostgreSQL', newPlace);
  sessionContract(newPlace);
  failoverContract('brokers on one database, under load', {
    newPlace,
    newPorts: () => adjacentPorts(2),
    fences: false,
  });

  it('know how much their tables take', async () => {
    const a = await startBroker(await newPlace(), 'a');
    const log = client([a.port]);
    try {
      await isActive(a);
      const bytes = async () => (await a.broker.status()).room.bytes;
      await until(async () => (await bytes()) !== undefined, 'a first look');
      const before = (await bytes())!;
      await log.append(START, randomBytes(1_000_000));
      await until(async () => (await bytes())! >= before + 1_000_000, 'the record to be counted');
      assert.equal((await a.broker.status()).room.disk, undefined);
    } finally {
      await log.close();
      await a.stop();
    }
  });

  it('whose session is ended by somebody else, another one goes on', async () => {
    const place = await newPlace();
    const a = await startBroker(place, 'a');
    await isActive(a);
    const b = await startBroker(place, 'b');
    await hears(a, 'b');
    const log = client([a.port, b.port]);
    const admin = new pg.Client(place);
    try {
      await log.append(START, Buffer.from('1'));
      await admin.connect();
      await admin.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted");
      await until(async () => (await b.broker.status()).state === 'active' || (await a.broker.status()).term > 1, 'b');
      assert.equal(await persist(() => log.head()), 1);
      assert.deepEqual(await persist(() => log.append(1 as Position, Buffer.from('2'))), {
        kind: 'appended',
        position: 2,
      });
      const { reason, term } = await a.broker.status();
      assert.ok(term > 1 || reason?.includes('the session that makes it the active one was ended'), `${reason}`);
    } finally {
      await admin.end();
      await log.close();
      await a.stop();
      await b.stop();
    }
  });
});
