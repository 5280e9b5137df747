import { ack, StompClient, send, transaction } from '../../test/services/stomp.ts';
import type { Bare } from './bare.ts';

/** Messages of a queue that are acknowledged at a time, and those that the broker sends meanwhile. */
const PAGE = { acknowledged: 500, 'activemq.prefetchSize': '2000' };

/**
 * One connection; each message is persistent, and has a receipt of its own. Readers have a queue of a virtual topic each. Who reads
 * all takes messages out of a queue.
 */
export async function bareActiveMq(port: number): Promise<Bare> {
  const client = await StompClient.connect(port);
  const { acknowledged, ...prefetch } = PAGE;
  let replays = 0;
  return {
    async append(body, count) {
      const message = send('/queue/bare.appends', textOf(body));
      await Promise.all(Array.from({ length: count }, () => client.confirm(message)));
    },
    async follow(readers, onRecords) {
      const clients = await Promise.all(Array.from({ length: readers }, () => StompClient.connect(port)));
      for (const [reader, each] of clients.entries()) {
        each.onMessage = (message) => {
          onRecords(reader, 1);
          each.write(ack(message));
        };
        await each.subscribe(`/queue/Consumer.bare${reader}.VirtualTopic.bare`);
      }
      return {
        append: (body) => client.confirm(send('/topic/VirtualTopic.bare', textOf(body))),
        close: async () => void clients.map((each) => each.close()),
      };
    },
    async replay(count) {
      // A queue for each, with nothing else in it: what a reader leaves behind, the next one may get half a minute later.
      const queue = `/queue/bare.replay${++replays}`;
      for (let n = 0; n < count; n += acknowledged) {
        const length = Math.min(acknowledged, count - n);
        const messages = Array.from({ length }, () => send(queue, textOf(new Uint8Array(2048))));
        await client.confirm(...transaction(`fill${n}`, ...messages));
      }
      const startMs = performance.now();
      const reader = await StompClient.connect(port);
      const all = Promise.withResolvers<void>();
      let got = 0;
      reader.onMessage = (message) => {
        got++;
        if (got < count && got % acknowledged !== 0) return;
        // It acknowledges those before it, too; in a transaction, or the broker syncs for each of them.
        const frames = transaction(`t${got}`, ack(message));
        if (got === count) reader.confirm(...frames).then(all.resolve, all.reject);
        else reader.write(...frames);
      };
      await reader.subscribe(queue, { ack: 'client', ...prefetch });
      await all.promise;
      const tookMs = performance.now() - startMs;
      reader.close();
      return tookMs;
    },
    close: async () => client.close(),
  };
}

/** As `bareActiveMq`, but what is appended is also received and acknowledged, one by one, as what nodes read is. */
export async function bareActiveMqReceived(port: number): Promise<Bare> {
  const bare = await bareActiveMq(port);
  const [sender, receiver] = [await StompClient.connect(port), await StompClient.connect(port)];
  let [sent, received] = [0, 0];
  let wake = () => {};
  receiver.onMessage = (message) => {
    received++;
    receiver.write(ack(message));
    wake();
  };
  await receiver.subscribe('/queue/Consumer.own.VirtualTopic.bare.received');
  return {
    async append(body, count) {
      sent += count;
      const message = send('/topic/VirtualTopic.bare.received', textOf(body));
      await Promise.all(Array.from({ length: count }, () => sender.confirm(message)));
      while (received < sent) await new Promise<void>((resolve) => (wake = resolve));
    },
    replay: (count) => bare.replay(count),
    async close() {
      sender.close();
      receiver.close();
      await bare.close();
    },
  };
}

const textOf = (body: Uint8Array) => Buffer.from(body).toString('base64').slice(0, body.length);
