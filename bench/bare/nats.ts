import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { type Bare, fill } from './bare.ts';

const HEARTBEAT_NS = 5_000_000_000;

/** One connection; each message expects the one before it to be the last. Readers are push consumers, with flow control. */
export async function bareNats(servers: string): Promise<Bare> {
  const connection = await connect({ servers });
  const stream = { name: 'bare', subjects: ['bare'], storage: 'file', num_replicas: 1, retention: 'limits' };
  await ask(connection, 'STREAM.CREATE.bare', stream);
  let head = 0;
  const publish = async (body: Uint8Array) => {
    const expected = headers();
    expected.set('Nats-Expected-Last-Sequence', `${head++}`);
    const answer = await connection.request('bare', body, { headers: expected, timeout: 10_000 });
    if (answer.json<{ error?: unknown }>().error !== undefined) throw new Error(answer.string());
  };
  const bare: Bare = {
    async append(body, count) {
      await Promise.all(Array.from({ length: count }, () => publish(body)));
    },
    async follow(readers, onRecords) {
      const connections = await Promise.all(Array.from({ length: readers }, () => connect({ servers })));
      for (const [reader, each] of connections.entries()) await consume(each, head + 1, () => onRecords(reader, 1));
      return {
        append: publish,
        async close() {
          await Promise.all(connections.map((each) => each.close()));
        },
      };
    },
    async replay(count) {
      await fill(bare, count - head, 500);
      const startMs = performance.now();
      const reader = await connect({ servers });
      const all = Promise.withResolvers<void>();
      let got = 0;
      await consume(reader, 1, () => {
        if (++got === count) all.resolve();
      });
      await all.promise;
      const tookMs = performance.now() - startMs;
      await reader.close();
      return tookMs;
    },
    close: () => connection.close(),
  };
  return bare;
}

/** Subscribes to all messages of the stream from a sequence number on. */
async function consume(connection: NatsConnection, from: number, onMessage: () => void): Promise<void> {
  const inbox = `inbox.${Math.random().toString(36).slice(2)}`;
  connection.subscribe(inbox, {
    callback: (_, message) => {
      // A sign of life, or the server asks whether we keep up.
      if (message.headers?.code !== 100) onMessage();
      else if (message.reply) message.respond();
    },
  });
  await ask(connection, 'CONSUMER.CREATE.bare', {
    stream_name: 'bare',
    config: {
      ...{ deliver_subject: inbox, deliver_policy: 'by_start_sequence', opt_start_seq: from, ack_policy: 'none' },
      ...{ replay_policy: 'instant', flow_control: true, idle_heartbeat: HEARTBEAT_NS, mem_storage: true },
    },
  });
}

async function ask(connection: NatsConnection, what: string, request: object): Promise<void> {
  const answer = await connection.request(`$JS.API.${what}`, JSON.stringify(request));
  if (answer.json<{ error?: unknown }>().error !== undefined) throw new Error(`${what}: ${answer.string()}`);
}
