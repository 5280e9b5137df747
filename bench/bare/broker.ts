import type { WebSocket } from 'ws';
import { connect } from '../../src/log/websocket/connect.ts';
import { secretsOf } from '../../src/log/websocket/handshake.ts';
import { bytesOf, CREDIT_BYTES, DEFAULT_PATH, decode, encode, type Reply } from '../../src/log/websocket/wire.ts';
import type { Position } from '../../src/tree/index.ts';
import { type Bare, fill } from './bare.ts';

/**
 * A WebSocket after its handshake, and messages: no reconnection, no time limits, no signs of life.
 * @param address  `ws://host:port`
 */
export async function bareBroker(address: string, secret: string): Promise<Bare> {
  const url = `${address}${DEFAULT_PATH}`;
  const open = async () => (await connect({ ...CONNECTING, url, secrets: secretsOf(secret) })).socket;
  const socket = await open();
  const waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  socket.on('message', (data: Buffer) => {
    const reply = decode(data) as Reply;
    const asked = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.kind === 'appended') asked?.resolve();
    else asked?.reject(new Error(`the broker answers an append with ${reply.kind}`));
  });
  let head = 0;
  const append = (body: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      const after = head++ as Position;
      waiting.set(head, { resolve, reject });
      socket.send(encode({ kind: 'append', id: head, after, body }));
    });
  const bare: Bare = {
    async append(body, count) {
      await Promise.all(Array.from({ length: count }, () => append(body)));
    },
    async follow(readers, onRecords) {
      const sockets = await Promise.all(Array.from({ length: readers }, open));
      for (const [reader, each] of sockets.entries()) read(each, head, (count) => onRecords(reader, count));
      return { append, close: async () => void sockets.map((each) => each.terminate()) };
    },
    async replay(count) {
      await fill(bare, count - head, 500);
      const startMs = performance.now();
      const reader = await open();
      const all = Promise.withResolvers<void>();
      let got = 0;
      read(reader, 0, (more) => {
        got += more;
        if (got >= count) all.resolve();
      });
      await all.promise;
      reader.terminate();
      return performance.now() - startMs;
    },
    close: async () => socket.terminate(),
  };
  return bare;
}

const CONNECTING = {
  group: 'bare',
  name: 'bare',
  purpose: 'calls',
  timeoutMs: 5000,
  recordBytesMax: 32 * 1024 * 1024,
} as const;

/** Asks for all records after a position, and gives credit for what has come. */
function read(socket: WebSocket, after: number, onRecords: (count: number) => void): void {
  let taken = 0;
  socket.on('message', (data: Buffer) => {
    const reply = decode(data) as Reply;
    if (reply.kind !== 'records') throw new Error(`the broker answers a reader with ${reply.kind}`);
    taken += bytesOf(reply.records);
    if (taken >= CREDIT_BYTES) {
      socket.send(encode({ kind: 'credit', id: 1, bytes: taken }));
      taken = 0;
    }
    onRecords(reply.records.length);
  });
  socket.send(encode({ kind: 'read', id: 1, position: after as Position }));
}
