/**
 * What the log on ActiveMQ rests upon, tried on a broker without the driver: taking proposals and giving verdicts is one step, the
 * next holder of the queue comes after all that the one before has committed, and all nodes' queues have one order.
 * `GRATICULE_FAULT_ROUNDS=20` makes it twenty times as long.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import { ack, type Frame, StompClient, send, transaction } from '../../../test/services/stomp.ts';
import { until } from '../contract/testing.ts';

const TIMES = Number(process.env.GRATICULE_FAULT_ROUNDS ?? 1);
const HOLDER = { 'activemq.exclusive': 'true', 'activemq.prefetchSize': '1' };
const READER = { ack: 'auto', 'activemq.exclusive': 'true', 'activemq.prefetchSize': '1000' };

const proposals = (log: string) => `/queue/${log}.proposals`;
const topic = (log: string) => `/topic/VirtualTopic.${log}`;
const queueOf = (node: string, log: string) => `/queue/Consumer.${node}.VirtualTopic.${log}`;

describe('transactions of ActiveMQ', { skip: activeMqMissing, timeout: 60_000 * TIMES }, () => {
  let amq: ActiveMq;
  const clients = new Set<StompClient>();
  const connect = async () => {
    const client = await StompClient.connect(amq.brokers[0]!.port);
    clients.add(client);
    return client;
  };
  /** Bodies of all that a queue holds, or that comes to it from now on. */
  const follow = async (queue: string) => {
    const client = await connect();
    const bodies: string[] = [];
    client.onMessage = ({ body }) => void bodies.push(body);
    await client.subscribe(queue, READER);
    return bodies;
  };

  before(async () => {
    amq = await startActiveMq();
  });
  after(async () => {
    for (const client of clients) client.close();
    await amq?.stop();
  });

  it('a commit that races its connection’s end is whole or nothing, and comes before whatever the next holder says', async () => {
    const log = 'race';
    const heard = await follow(queueOf('n1', log));
    const also = await follow(queueOf('n2', log));
    const writer = await connect();
    const counts = { committed: 0, given: 0, own: 0 };
    let holder = await connect();
    await holder.subscribe(proposals(log), HOLDER);
    for (let round = 0; round < 60 * TIMES; round++) {
      // The second one brings word to the next holder, even when the first is gone.
      await writer.confirm(send(proposals(log), `p${round}`), send(proposals(log), `q${round}`));
      const taken = await holder.next();
      assert.equal(taken.body, `p${round}`);
      const next = await connect();
      await next.subscribe(proposals(log), HOLDER);
      const records = Array.from({ length: round % 2 === 0 ? 1 : 30 }, (_, n) => `p${round}/${n}`);
      // What the holder proposes itself, nobody has given to it.
      const isOwn = round % 4 > 1;
      holder.write(
        ...transaction('t', ...(isOwn ? [] : [ack(taken)]), ...records.map((body) => send(topic(log), body))),
      );
      // From at once to after the commit: the moment is what the race is about.
      if (round % 3 === 0) await sleep((round % 12) / 4);
      holder.reset();
      clients.delete(holder);
      holder = next;
      const given: string[] = [];
      const accept = async () => {
        const message = await holder.next();
        given.push(message.body);
        await holder.confirm(ack(message));
      };
      const first = await holder.next();
      await holder.confirm(...transaction('m', send(topic(log), `marker ${round}`)));
      given.push(first.body);
      await holder.confirm(ack(first));
      await until(() => heard.includes(`marker ${round}`), 'the marker');
      const begin = round === 0 ? 0 : heard.indexOf(`marker ${round - 1}`) + 1;
      const committed = heard.slice(begin, heard.indexOf(`marker ${round}`));
      if (committed.length > 0) {
        assert.deepEqual(committed, records, `round ${round}: all of it, once, in order`);
        if (isOwn) counts.own++;
        else counts.committed++;
      }
      if (committed.length > 0 && !isOwn) {
        while (!given.includes(`q${round}`)) await accept();
        assert.deepEqual(given, [`q${round}`], `round ${round}: what is committed is not given again`);
      } else {
        if (!isOwn) counts.given++;
        while (given.length < 2) await accept();
        assert.deepEqual(given.sort(), [`p${round}`, `q${round}`]);
      }
      assert.equal(heard.at(-1), `marker ${round}`, 'nothing of the former holder comes after the marker');
    }
    await until(() => also.length === heard.length, 'the other queue');
    assert.deepEqual(also, heard);
    assert.equal(holder.messages.length, 0);
    assert.ok(
      counts.committed > 0 && counts.given > 0 && counts.own > 0,
      `all must be seen: ${JSON.stringify(counts)}`,
    );
  });

  it('a broker that is killed amid commits has each of them whole or not at all', async () => {
    const log = 'killed';
    for (let round = 0; round < 2 * TIMES; round++) {
      const sent: string[] = [];
      const [writer, holder] = [await connect(), await connect()];
      await Promise.all(['n1', 'n2'].map((node) => occupy(queueOf(node, log))));
      const writes = Array.from({ length: 20 }, (_, n) => {
        sent.push(`${round}/${n}`);
        return send(proposals(log), sent.at(-1)!);
      });
      await writer.confirm(...writes);
      const confirmed: string[] = [];
      let left = 1;
      holder.onMessage = (message: Frame) => {
        // As long as the broker lives there is something to commit.
        const again = `${round}/+${left++}`;
        sent.push(again);
        const step = [ack(message), send(topic(log), message.body), send(`/queue/${log}.also`, message.body)];
        holder.confirm(...transaction(`t${left}`, ...step, send(proposals(log), again))).then(
          () => confirmed.push(message.body),
          () => {},
        );
      };
      await holder.subscribe(proposals(log), HOLDER);
      await until(() => confirmed.length > 5 + 20 * Math.random(), 'some commits');
      await amq.brokers[0]!.kill('SIGKILL');
      for (const client of clients) client.close();
      clients.clear();
      await amq.brokers[0]!.restart();

      const places = [proposals(log), `/queue/${log}.also`, queueOf('n1', log), queueOf('n2', log)];
      const [remaining, copy, one, two] = await Promise.all(places.map(drain));
      assert.deepEqual(two, one, 'both nodes have the same in the same order');
      assert.deepEqual(copy, one, 'a transaction is in all its queues');
      for (const body of confirmed) assert.ok(one!.includes(body), `${body} was confirmed`);
      // Proposals that were sent within a transaction that did not happen were never made.
      const made = [...one!, ...remaining!];
      assert.equal(new Set(made).size, made.length, 'nothing twice, and nothing both decided and open');
      for (const body of sent.slice(0, 20)) assert.ok(made.includes(body), `${body} is not lost`);
      assert.equal(made.length, 20 + one!.length, 'as many are open as were');
    }
  });

  /** Reads a queue to its end. */
  async function drain(queue: string): Promise<string[]> {
    const client = await connect();
    const bodies: string[] = [];
    const end = `end ${Math.random()}`;
    client.onMessage = ({ body }) => void bodies.push(body);
    await client.subscribe(queue, READER);
    // What is sent last is given last.
    await client.confirm(send(queue, end));
    await until(() => bodies.includes(end), `the end of ${queue}`);
    client.close();
    clients.delete(client);
    return bodies.filter((body) => body !== end);
  }

  /** Makes a queue be there. */
  async function occupy(queue: string): Promise<void> {
    const client = await StompClient.connect(amq.brokers[0]!.port);
    await client.subscribe(queue, READER);
    client.close();
  }

  /** Several producers commit at once, unfenced. @returns what each of the readers got, one of which came later */
  async function order(log: string, subscribe: (client: StompClient, reader: string) => Promise<void>) {
    const [producers, records] = [4, 150 * TIMES];
    const read = async (reader: string) => {
      const client = await StompClient.connect(amq.brokers[0]!.port, { 'client-id': `${log}-${reader}` });
      clients.add(client);
      const bodies: string[] = [];
      client.onMessage = ({ body }) => void bodies.push(body);
      await subscribe(client, reader);
      return { client, bodies };
    };
    const online = await read('a');
    (await read('b')).client.close();
    await Promise.all(
      Array.from({ length: producers }, async (_, p) => {
        const client = await connect();
        for (let n = 0; n < records; n++) await client.confirm(...transaction(`t${n}`, send(topic(log), `${p}/${n}`)));
      }),
    );
    const offline = await until(() => online.bodies.length === producers * records, 'all records').then(() =>
      read('b'),
    );
    await until(() => offline.bodies.length === producers * records, 'all records, later');
    return [online.bodies, offline.bodies] as const;
  }

  it('queues have one order, even when several commit at once', async () => {
    const [online, offline] = await order('queues', (client, reader) =>
      client.subscribe(queueOf(reader, 'queues'), READER),
    );
    assert.equal(inversions(online, offline), 0);
  });

  it('durable subscriptions have not, and the test sees it', async () => {
    let found = 0;
    for (let n = 0; n < 10 && found === 0; n++) {
      const [online, offline] = await order(`durable${n}`, (client, reader) =>
        client.subscribe(topic(`durable${n}`), { ack: 'auto', 'activemq.subscriptionName': reader }),
      );
      found = inversions(online, offline);
    }
    assert.ok(found > 0);
  });
});

/** Neighbours in one sequence that stand the other way round in the other. */
function inversions(one: readonly string[], other: readonly string[]): number {
  assert.deepEqual([...one].sort(), [...other].sort());
  const place = new Map(other.map((body, n) => [body, n]));
  return one.filter((body, n) => n > 0 && place.get(one[n - 1]!)! > place.get(body)!).length;
}
