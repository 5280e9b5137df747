import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { offeredProtocols } from './client-hello.ts';

/** What a real client says first. */
function firstMessage(ALPNProtocols: string[] | undefined): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const server = createServer((socket) =>
      socket
        .on('error', () => {})
        .on('data', (data) => {
          chunks.push(data);
          const bytes = Buffer.concat(chunks);
          if (offeredProtocols(bytes) === undefined) return;
          socket.destroy();
          server.close(() => resolve(bytes));
        }),
    );
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      connect({ port, host: '127.0.0.1', servername: 'localhost', ALPNProtocols }).on('error', () => {});
    });
  });
}

test('the protocols that a client offers, and none for anything else', async () => {
  const hello = await firstMessage(['graticule-log', 'http/1.1']);
  assert.deepEqual(offeredProtocols(hello), ['graticule-log', 'http/1.1']);
  assert.deepEqual(offeredProtocols(await firstMessage(undefined)), []);
  for (let length = 0; length < hello.length; length++)
    assert.equal(offeredProtocols(hello.subarray(0, length)), undefined, `${length} bytes`);
  for (const other of ['GET / HTTP/1.1\r\n', '\x15\x03\x01\x00\x02\x02\x28', '\x16\x03\x01\xff\xff'])
    assert.deepEqual(offeredProtocols(Buffer.from(other, 'latin1')), []);
});

test('a first message that lies does no harm', async () => {
  const hello = await firstMessage(['graticule-log', 'http/1.1']);
  for (let at = 5; at < hello.length; at++)
    for (const value of [0, 1, 0x7f, 0xff]) {
      const lie = Buffer.from(hello);
      lie[at] = value;
      assert.ok(Array.isArray(offeredProtocols(lie)));
    }
  // Cut off, and said to be complete.
  for (let length = 6; length < hello.length; length++) {
    const cut = Buffer.from(hello.subarray(0, length));
    cut.writeUInt16BE(length - 5, 3);
    assert.ok(Array.isArray(offeredProtocols(cut)));
  }
});
