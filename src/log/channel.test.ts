/** Over real sockets: a server here says `hello`, or why it refuses; who hears that is connected. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { freePorts } from '../../test/free-ports.ts';
import { type Facts, type Logger, messageOf, silentLogger, UnavailableError } from '../base/index.ts';
import { backOffMs } from './backoff.ts';
import { Channel, type ChannelOptions, type EndingLink } from './channel.ts';
import { until } from './contract/testing.ts';
import { isUnreachable, LogClosedError, LogRefusedError } from './errors.ts';

class SocketLink implements EndingLink {
  readonly port: number;
  readonly ended: Promise<Error>;
  readonly #socket: Socket;

  constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.port = port;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.ended = promise;
    socket.on('error', () => {});
    socket.once('close', () => resolve(new UnavailableError('log-unreachable', `${port}: it hung up`)));
    // What nobody reads is not seen to end.
    socket.resume();
  }

  static async open(port: number, signal: AbortSignal): Promise<SocketLink> {
    const socket = createConnection({ port, host: '127.0.0.1', signal });
    try {
      const [said] = (await once(socket, 'data')) as [Buffer];
      if (said.toString() !== 'hello') throw new LogRefusedError(`${port}: ${said}`);
      return new SocketLink(socket, port);
    } catch (error) {
      socket.on('error', () => {}).destroy();
      if (error instanceof LogRefusedError) throw error;
      throw new UnavailableError('log-unreachable', `${port}: ${messageOf(error)}`);
    }
  }

  get open(): boolean {
    return !this.#socket.destroyed;
  }

  terminate(): void {
    this.#socket.destroy();
  }
}

describe('a channel', () => {
  const closing: AbortController[] = [];
  const servers = new Set<Server>();
  afterEach(() => {
    for (const each of closing.splice(0)) each.abort();
    for (const each of servers) each.close();
    servers.clear();
  });

  /** Serves until it is stopped. */
  async function serve(port: number, says = 'hello') {
    const sockets = new Set<Socket>();
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
      socket.resume().write(says);
    });
    servers.add(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const hangUp = () => {
      for (const socket of sockets) socket.destroy();
    };
    return {
      hangUp,
      stop: () => {
        server.close();
        hangUp();
      },
      get connections() {
        return connections;
      },
      get open() {
        return sockets.size;
      },
    };
  }

  function channelTo(ports: readonly number[], options: Partial<ChannelOptions<SocketLink>> = {}) {
    const closer = new AbortController();
    closing.push(closer);
    const all = ports.map((port) => ({
      facts: { port },
      open: (signal: AbortSignal) => SocketLink.open(port, signal),
    }));
    const common = { servers: () => all, connectionWaitMs: 2000, logger: silentLogger };
    return { channel: new Channel<SocketLink>({ ...common, ...options }, closer.signal), close: () => closer.abort() };
  }

  it('goes to the first server that answers, and stays there', async () => {
    const [gone, here, spare] = await freePorts(3);
    const server = await serve(here!);
    const other = await serve(spare!);
    const { channel } = channelTo([gone!, here!, spare!]);
    assert.equal(server.connections, 0, 'nobody has asked yet');
    const link = await channel.connected();
    assert.equal(link.port, here);
    assert.equal(await channel.connected(), link);
    assert.deepEqual([server.connections, other.connections], [1, 0]);
  });

  it('makes a new connection to the same server when one is lost', async () => {
    const [one, two] = await freePorts(2);
    const server = await serve(one!);
    await serve(two!);
    const { channel } = channelTo([one!, two!]);
    const lost = await channel.connected();
    server.hangUp();
    await lost.ended;
    const link = await channel.connected();
    assert.notEqual(link, lost);
    assert.equal(link.port, one);
  });

  it('makes a new connection to the next server when one is lost, where that is wanted', async () => {
    const [one, two] = await freePorts(2);
    const server = await serve(one!);
    await serve(two!);
    const { channel } = channelTo([one!, two!], { afterLoss: 'next' });
    const lost = await channel.connected();
    server.hangUp();
    await lost.ended;
    assert.equal((await channel.connected()).port, two);
  });

  it('waits before the next connection, where that is wanted', async () => {
    const [port] = await freePorts(1);
    const server = await serve(port!);
    const { channel } = channelTo([port!], { pauseMs: () => 300 });
    const lost = await channel.connected();
    server.hangUp();
    await lost.ended;
    const sinceMs = performance.now();
    await channel.connected();
    assert.ok(performance.now() - sinceMs > 280, `${performance.now() - sinceMs} ms`);
  });

  it('a call waits a little for a server, a reader as long as it takes', async () => {
    const [port] = await freePorts(1);
    const { channel } = channelTo([port!], { connectionWaitMs: 200 });
    const reader = new AbortController();
    const next = channel.next(reader.signal);
    const never = channel.next(AbortSignal.timeout(100));
    await assert.rejects(channel.connected(), (error) => isUnreachable(error) && /ECONNREFUSED/.test(messageOf(error)));
    assert.equal(await never, undefined);
    await serve(port!);
    assert.equal((await next)?.port, port);
    assert.equal(channel.failure, undefined);
  });

  it('a refusal is told at once, and is over when another server takes us', async () => {
    const [one, two] = await freePorts(2);
    await serve(one!, 'not you');
    const { channel } = channelTo([one!, two!], { connectionWaitMs: 5000 });
    const sinceMs = performance.now();
    await assert.rejects(channel.connected(), LogRefusedError);
    assert.ok(performance.now() - sinceMs < 2000);
    assert.equal(channel.refusal?.message, `${one}: not you`);
    await serve(two!);
    await until(() => channel.link !== undefined, 'a connection to the other');
    assert.equal(channel.refusal, undefined);
  });

  it('a connection is used when it is prepared; one that cannot be is ended, and the next server tried', async () => {
    const [one, two] = await freePorts(2);
    const bad = await serve(one!);
    await serve(two!);
    const prepared = Promise.withResolvers<void>();
    const { channel } = channelTo([one!, two!], {
      prepare: async ({ port }) => {
        if (port === one) throw new UnavailableError('log-failed', 'of no use');
        await prepared.promise;
      },
    });
    channel.start();
    await until(() => channel.failure?.message === 'of no use', 'the failure');
    await until(() => bad.open === 0, 'the end of that connection');
    assert.equal(channel.link, undefined);
    prepared.resolve();
    assert.equal((await channel.connected()).port, two);
  });

  it('asks again, once, when the connection is lost while it asks', async () => {
    const [port] = await freePorts(1);
    const server = await serve(port!);
    const { channel } = channelTo([port!]);
    const asked: SocketLink[] = [];
    const ask = (lose: number) =>
      channel.ask(async (link) => {
        asked.push(link);
        if (asked.length <= lose) {
          server.hangUp();
          throw await link.ended;
        }
        return 'answer';
      });
    assert.equal(await ask(1), 'answer');
    assert.equal(new Set(asked).size, 2);
    asked.length = 0;
    await assert.rejects(ask(2), isUnreachable);
    assert.equal(asked.length, 2);
    // What the server answers is not asked for again.
    asked.length = 0;
    const no = channel.ask(async (link) => {
      asked.push(link);
      throw new UnavailableError('log-unreachable', 'no answer');
    });
    await assert.rejects(no, /no answer/);
    assert.equal(asked.length, 1);
  });

  it('closing ends what is open, what is being made and what waits', async () => {
    const [one, two, silent] = await freePorts(3);
    const server = await serve(one!);
    const preparing = await serve(two!);
    const mute = await serve(silent!, '');
    const open = channelTo([one!]);
    const link = await open.channel.connected();
    const half = channelTo([two!], { prepare: (link) => link.ended.then(() => {}) });
    const waiting = channelTo([silent!], { connectionWaitMs: 60_000 });
    const calls = [half, waiting].map(({ channel }) => assert.rejects(channel.connected(), LogClosedError));
    const readers = [half, waiting].map(({ channel }) => channel.next(channel.closing));
    await until(() => preparing.open === 1 && mute.open === 1, 'connections');
    for (const { close } of [open, half, waiting]) close();
    await Promise.all(calls);
    assert.deepEqual(await Promise.all(readers), [undefined, undefined]);
    await Promise.all([open, half, waiting].map(({ channel }) => channel.closed()));
    assert.equal(link.open, false);
    await until(() => server.open + preparing.open + mute.open === 0, 'the end of all connections');
    await assert.rejects(open.channel.connected(), LogClosedError);
  });

  it('says once that there is no connection, and why; and when there is one, and when it is lost', async () => {
    const [port] = await freePorts(1);
    const said: [string, Facts?][] = [];
    const logger: Logger = {
      ...silentLogger,
      info: (event, facts) => said.push([event, facts]),
      warn: (event, facts) => said.push([event, facts]),
    };
    let attempts = 0;
    const { channel } = channelTo([], {
      logger,
      servers: () => {
        if (++attempts <= 3) throw new UnavailableError('log-unreachable', 'nobody is known');
        return [{ facts: { port }, open: (signal) => SocketLink.open(port!, signal) }];
      },
    });
    const server = await serve(port!);
    const { ended } = await channel.connected();
    server.stop();
    await ended;
    await until(() => said.length >= 4, 'all that is to be said');
    assert.deepEqual(said.slice(0, 3), [
      ['log-unreachable', { error: 'nobody is known' }],
      ['log-connected', { port }],
      ['log-connection-lost', { port, reason: `${port}: it hung up` }],
    ]);
    assert.equal(attempts >= 4, true);
  });

  it('hurries through the round in which a server says that one of them will soon have the log, and to the next one', async () => {
    const [one, two] = await freePorts(2);
    const hurried: boolean[] = [];
    const { channel } = channelTo([], {
      isSoon: () => hurried.length === 3,
      servers: () =>
        [one!, two!].map((port) => ({
          facts: { port },
          open: (signal, soon) => {
            hurried.push(soon);
            return SocketLink.open(port, signal);
          },
        })),
    });
    channel.start();
    await until(() => hurried.length >= 7, 'seven attempts');
    // The first server said so, in the second round.
    assert.deepEqual(hurried.slice(0, 7), [false, false, false, true, true, false, false]);
  });

  it('pauses grow, and are of uneven length; after a refusal they are long at once', () => {
    for (const [failures, mostMs] of [1, 2, 3, 4, 5, 6, 7, 8].map((each) => [each, 25 * 2 ** each])) {
      const pauseMs = backOffMs(failures!, new UnavailableError('log-unreachable', 'gone'));
      const longestMs = Math.min(mostMs!, 2000);
      assert.ok(pauseMs >= longestMs / 2 && pauseMs <= longestMs, `${pauseMs} ms after ${failures}`);
    }
    assert.ok(backOffMs(8, undefined, 200) <= 200);
    assert.notEqual(backOffMs(8, undefined), backOffMs(8, undefined));
    assert.equal(backOffMs(1, new LogRefusedError('not you')), 10_000);
  });
});
