/** The network of the fault tests does what it is told. */
import assert from 'node:assert/strict';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { listenAnywhere } from '../free-ports.ts';
import { eventually } from '../waiting.ts';
import { TcpProxy } from './proxy.ts';

let echo: Server;
let echoPort: number;
let proxy: TcpProxy;
const sockets: Socket[] = [];

before(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  echoPort = await listenAnywhere(echo);
});
after(() => void echo.close());
beforeEach(async () => {
  proxy = await TcpProxy.open({ host: '127.0.0.1', port: echoPort });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await proxy.close();
});

async function talk(): Promise<{ socket: Socket; heard: () => string; state: () => 'open' | 'closed' }> {
  const socket = dial({ host: '127.0.0.1', port: proxy.port });
  sockets.push(socket);
  let heard = '';
  let state: 'open' | 'closed' = 'open';
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    state = 'closed';
  });
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', () => resolve()));
  return { socket, heard: () => heard, state: () => state };
}

test('carries both directions, and much', async () => {
  const { socket, heard } = await talk();
  const text = 'x'.repeat(5_000_000);
  socket.write(text);
  await eventually(() => assert.equal(heard().length, text.length));
});

test('a cut ends connections; refused ones end at once, until the network is fine', async () => {
  const first = await talk();
  proxy.cut();
  await eventually(() => assert.equal(first.state(), 'closed'));
  proxy.network = { kind: 'refuse' };
  const second = await talk();
  await eventually(() => assert.equal(second.state(), 'closed'));
  proxy.network = { kind: 'fine' };
  const third = await talk();
  third.socket.write('here');
  await eventually(() => assert.equal(third.heard(), 'here'));
});

test('in a black hole nothing arrives, not even the end; afterwards everything does', async () => {
  const { socket, heard, state } = await talk();
  socket.write('one');
  await eventually(() => assert.equal(heard(), 'one'));
  for (const direction of ['up', 'down', 'both'] as const) {
    const before = heard();
    proxy.network = { kind: 'hole', direction };
    socket.write(`(${direction})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(heard(), before);
    assert.equal(state(), 'open');
    proxy.network = { kind: 'fine' };
    await eventually(() => assert.equal(heard(), `${before}(${direction})`));
  }
});

test('a slow network delays what it carries, and keeps the order', async () => {
  const { socket, heard } = await talk();
  proxy.network = { kind: 'slow', delayMs: 60 };
  const startedMs = performance.now();
  socket.write('a');
  setTimeout(() => socket.write('b'), 10);
  await eventually(() => assert.equal(heard(), 'ab'));
  assert.ok(performance.now() - startedMs >= 120, 'there and back');
});
