/** Brokers on PostgreSQL: the contract, and in processes of their own. */
import { after, before, describe } from 'node:test';
import { type Postgres, postgresMissing, startPostgres } from '../../../test/services/postgres.ts';
import { brokerContract, failoverContract, freePorts } from './testing.ts';

describe('brokers in front of PostgreSQL', { skip: postgresMissing }, () => {
  let server: Postgres;
  before(async () => {
    server = await startPostgres({ synchronous_commit: 'off', max_connections: '100' });
  });
  after(() => server?.stop());
  const newPlace = async () => server.url(await server.createDatabase());

  brokerContract('a broker on PostgreSQL', newPlace);
  failoverContract('brokers on one database, under load', { newPlace, newPorts: freePorts, fences: false });
});
