import pg from 'pg';
import { type Bare, fill } from './bare.ts';

const PAGE = 2000;

/** As many connections as records at once, each with an INSERT of its own; readers LISTEN, and SELECT when they are notified. */
export async function barePostgres(url: string): Promise<Bare> {
  const clients: pg.Client[] = [];
  const connect = async () => {
    const client = new pg.Client(url);
    await client.connect();
    return client;
  };
  clients.push(await connect());
  await clients[0]!.query('CREATE TABLE bare (position bigint PRIMARY KEY, body bytea NOT NULL)');
  let head = 0;

  /** Yields up to a page after a position. @returns the position of the last record */
  async function read(client: pg.Client, after: number): Promise<number> {
    const text = `SELECT position, body FROM bare WHERE position > $1 ORDER BY position LIMIT ${PAGE}`;
    const { rows } = await client.query({ name: 'page', text, values: [after] });
    return Number(rows.at(-1)?.position ?? after);
  }

  const bare: Bare = {
    async append(body, count) {
      while (clients.length < count) clients.push(await connect());
      const insert = (client: pg.Client) =>
        client.query({ name: 'insert', text: 'INSERT INTO bare VALUES ($1, $2)', values: [++head, body] });
      await Promise.all(clients.slice(0, count).map(insert));
    },
    async follow(readers, onRecords) {
      const connections = await Promise.all(Array.from({ length: readers }, connect));
      for (const [reader, client] of connections.entries()) {
        let at = head;
        let reading = Promise.resolve();
        client.on('notification', () => {
          reading = reading.then(async () => {
            const last = await read(client, at);
            if (last > at) onRecords(reader, last - at);
            at = last;
          });
        });
        await client.query('LISTEN bare');
      }
      const text = `INSERT INTO bare VALUES ($1, $2) RETURNING pg_notify('bare', '')`;
      return {
        async append(body) {
          await clients[0]!.query({ name: 'insert-notify', text, values: [++head, body] });
        },
        async close() {
          await Promise.all(connections.map((client) => client.end()));
        },
      };
    },
    async replay(count) {
      await fill(bare, count - head, 64);
      const startMs = performance.now();
      const client = await connect();
      for (let at = 0; at < count; ) at = await read(client, at);
      const tookMs = performance.now() - startMs;
      await client.end();
      return tookMs;
    },
    async close() {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
  return bare;
}
