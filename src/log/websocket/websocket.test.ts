import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { after, describe, it } from 'node:test';
import { type Facts, type Logger, silentLogger, UnavailableError, UserError } from '../../base/index.ts';
import { START } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { logContract, until } from '../contract.ts';
import { LogRefusedError, type LogServer, memoryLog, openEmbeddedLog, openWebSocketLog, serveLog } from '../index.ts';
import { parseLogUrl } from './url.ts';

const SECRET = 'correct horse battery staple';
const dir = mkdtempSync(`${tmpdir()}/log-`);
after(() => rmSync(dir, { recursive: true }));
let folders = 0;

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function serve(
  log: ChangeLog,
  port = 0,
  logger: Logger = silentLogger,
): Promise<{ port: number; served: LogServer; serveBeside(log: ChangeLog): void; stop(): Promise<void> }> {
  const server = createServer();
  const served = serveLog({ server, log, secret: SECRET, logger, heartbeatMs: 100 });
  const actual = await listen(server, port);
  let beside: LogServer | undefined;
  return {
    port: actual,
    served,
    serveBeside(other) {
      beside = serveLog({ server, log: other, secret: SECRET, path: '/beside' });
    },
    async stop() {
      await served.close();
      await beside?.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const client = (port: number, options: { secret?: string; logger?: Logger; path?: string } = {}) =>
  openWebSocketLog({
    url: `ws://127.0.0.1:${port}${options.path ?? ''}`,
    secret: options.secret ?? SECRET,
    name: 'node-1',
    logger: options.logger,
    answerWaitMs: 1000,
    appendWaitMs: 2000,
    heartbeatMs: 100,
  });

logContract(
  'a memory log served over WebSocket',
  async () => {
    const shared = memoryLog({ peerTtlMs: 150 });
    const server = await serve(shared.open());
    const proxy = new TcpProxy(() => server.port);
    await proxy.start();
    const handles: ChangeLog[] = [];
    return {
      open: async () => {
        const handle = client(proxy.port);
        handles.push(handle);
        return handle;
      },
      beside: async () => {
        const handle = client(server.port, { path: '/beside' });
        server.serveBeside(memoryLog().open());
        handles.push(handle);
        return handle;
      },
      cut: (afterBytes) => proxy.cut(afterBytes),
      freeze: () => proxy.freeze(true),
      thaw: () => proxy.freeze(false),
      dispose: async () => {
        for (const handle of handles) await handle.close();
        proxy.stop();
        await server.stop();
      },
    };
  },
  { peerTtlMs: 150, noticeMs: 1100, troubles: ['cut', 'freeze'], streams: false },
);

logContract(
  'an embedded log served over WebSocket',
  async () => {
    const folder = `${dir}/${++folders}`;
    let log = await openEmbeddedLog({ folder, peerTtlMs: 150 });
    let server = await serve(log);
    const proxy = new TcpProxy(() => server.port);
    await proxy.start();
    const handles: ChangeLog[] = [];
    return {
      open: async () => {
        const handle = client(proxy.port);
        handles.push(handle);
        return handle;
      },
      restart: async () => {
        await server.stop();
        await log.close();
        log = await openEmbeddedLog({ folder, peerTtlMs: 150 });
        server = await serve(log);
      },
      cut: (afterBytes) => proxy.cut(afterBytes),
      dispose: async () => {
        for (const handle of handles) await handle.close();
        proxy.stop();
        await server.stop();
        await log.close();
      },
    };
  },
  { peerTtlMs: 150, troubles: ['restart', 'cut'], beside: false },
);

describe('a served log', () => {
  const recording = () => {
    const lines: string[] = [];
    const write = (event: string, facts?: Facts) => lines.push(`${event} ${JSON.stringify(facts)}`);
    return { lines, logger: { ...silentLogger, info: write, warn: write } satisfies Logger };
  };

  it('refuses who does not know the secret, and both sides say so', async () => {
    const { lines, logger } = recording();
    const server = await serve(memoryLog().open(), 0, logger);
    const log = client(server.port, { secret: 'guess' });
    await assert.rejects(log.append(START, Buffer.from('x')), (error) => {
      assert.ok(error instanceof LogRefusedError);
      assert.match(error.message, /ws:\/\/127\.0\.0\.1:\d+.*its secret is none that this cluster accepts/);
      return true;
    });
    assert.ok(
      lines.some((line) => /peer-refused.*"address":".*127.0.0.1","peer":"node-1","reason":".*secret/.test(line)),
      lines.join('\n'),
    );
    assert.ok(!lines.join().includes(SECRET) && !lines.join().includes('guess'));
    await log.close();
    await server.stop();
  });

  it('is not trusted when it does not know the secret itself', async () => {
    // It takes any proof, and cannot give one.
    const { WebSocketServer } = await import('ws');
    const fake = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    fake.on('connection', (socket) => {
      let messages = 0;
      socket.on('message', () => socket.send(messages++ === 0 ? '{"nonce":"1234"}' : '{"proof":"abcd","promises":{}}'));
    });
    await new Promise((resolve) => fake.once('listening', resolve));
    const log = client((fake.address() as AddressInfo).port);
    await assert.rejects(log.head(), /does not trust it/);
    await log.close();
    for (const socket of fake.clients) socket.terminate();
    fake.close();
  });

  it('says what is there when it is no log', async () => {
    const server = createServer((_request, response) => response.writeHead(404).end());
    const port = await listen(server);
    const log = openWebSocketLog({
      url: `ws://127.0.0.1:${port}/elsewhere`,
      secret: SECRET,
      name: 'n',
      connectionWaitMs: 100,
    });
    await assert.rejects(
      log.head(),
      (error) => error instanceof UnavailableError && /elsewhere.*404/.test(error.message),
    );
    await log.close();
    server.close();
  });

  it('says that nobody is there', async () => {
    const log = openWebSocketLog({ url: 'ws://127.0.0.1:1', secret: SECRET, name: 'n', connectionWaitMs: 100 });
    await assert.rejects(
      log.head(),
      (error) => error instanceof UnavailableError && /ECONNREFUSED/.test(error.message),
    );
    await log.close();
  });

  it('survives clients that speak nonsense', async () => {
    const server = await serve(memoryLog().open());
    const { WebSocket } = await import('ws');
    for (const nonsense of ['', 'x', 'null', '{}', '{"protocol":2}', Buffer.from([255, 1, 2])]) {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/geoserver/cluster/log`);
      socket.on('error', () => {});
      socket.on('open', () => socket.send(nonsense));
      await new Promise((resolve) => socket.once('close', resolve));
    }
    const log = client(server.port);
    assert.equal(await log.head(), 0);
    await log.close();
    await server.stop();
  });

  it('goes over to the next server when one is gone', async () => {
    const shared = memoryLog();
    const [a, b] = [await serve(shared.open()), await serve(shared.open())];
    const log = openWebSocketLog({
      url: `failover:(ws://127.0.0.1:${a.port},ws://127.0.0.1:${b.port})`,
      secret: SECRET,
      name: 'n',
    });
    await log.append(START, Buffer.from('1'));
    assert.deepEqual([a.served.clients, b.served.clients], [['n'], []]);
    await a.stop();
    await until(
      () =>
        log.head().then(
          (head) => head === 1,
          () => false,
        ),
      'the other server',
    );
    assert.deepEqual(b.served.clients, ['n']);
    await log.close();
    await b.stop();
  });

  it('does not wait for a reader that does not read', async () => {
    const shared = memoryLog();
    const server = await serve(shared.open());
    const [lazy, busy] = [client(server.port), client(server.port)];
    const writer = shared.open();
    for (let n = 0; n < 40; n++) await writer.append(n as never, Buffer.alloc(1024 * 1024));
    const reading = lazy.read(START, new AbortController().signal)[Symbol.asyncIterator]();
    await reading.next();
    assert.equal(await lazy.head(), 40);
    assert.equal(await busy.head(), 40);
    let seen = 1;
    while (seen < 40) seen += (await reading.next()).value!.length;
    await reading.return!();
    await lazy.close();
    await busy.close();
    await server.stop();
  });
});

describe('the URL of a served log', () => {
  const cases: [string, string[]][] = [
    ['ws://a:8080', ['ws://a:8080/geoserver/cluster/log']],
    ['ws://a:8080/', ['ws://a:8080/geoserver/cluster/log']],
    ['wss://a/x/log', ['wss://a/x/log']],
    ['failover:(ws://a:1,ws://b:2/log)', ['ws://a:1/geoserver/cluster/log', 'ws://b:2/log']],
    [
      'failover:( ws://a:1 , ws://b:2 )?randomize=false',
      ['ws://a:1/geoserver/cluster/log', 'ws://b:2/geoserver/cluster/log'],
    ],
    ['failover:ws://a:1', ['ws://a:1/geoserver/cluster/log']],
  ];
  for (const [text, urls] of cases) it(`${text} is understood`, () => assert.deepEqual(parseLogUrl(text), urls));
  for (const text of ['', 'a:8080', 'http://a', 'failover:()', 'ws://user:pw@a', 'ws://'])
    it(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseLogUrl(text), UserError));
});
