import type { Logger } from '../../base/index.ts';
import { Channel } from '../channel.ts';
import { Link, type LinkOptions } from './link.ts';

export type StompChannel = Channel<Link>;

export interface StompChannelOptions extends Omit<LinkOptions, 'server' | 'tls' | 'signal'> {
  readonly tls?: () => LinkOptions['tls'];
  /** How long a call waits for a connection, in milliseconds. */
  readonly connectionWaitMs: number;
  /** A node has several channels to one broker, and one says so. */
  readonly logger: Logger;
  /** Prepares a new connection before it is used. */
  readonly prepare: (link: Link) => Promise<void>;
  /** How long to wait before the next connection, in milliseconds, though the last one was good. */
  readonly pauseMs?: () => number;
}

/** Connections to the brokers of a place, from now on. */
export function stompChannel(options: StompChannelOptions, closing: AbortSignal): StompChannel {
  const { place, tls, connectionWaitMs, logger, prepare, pauseMs } = options;
  const servers = place.servers.map((server) => ({
    facts: { server: `${server.host}:${server.port}` },
    open: (signal: AbortSignal) => Link.open({ ...options, server, tls: tls?.(), signal }),
  }));
  const channel = new Channel({ servers: () => servers, prepare, pauseMs, connectionWaitMs, logger }, closing);
  channel.start();
  return channel;
}
