import type { Logger } from '../../base/index.ts';
import { Channel } from '../channel.ts';
import { Link, type LinkOptions } from './link.ts';

export type NatsChannel = Channel<Link>;

export interface NatsChannelOptions extends Omit<LinkOptions, 'server' | 'tls' | 'signal'> {
  readonly tls?: () => LinkOptions['tls'];
  readonly logger: Logger;
  /** How long a call waits for a connection, in milliseconds. */
  readonly connectionWaitMs: number;
  /** Looks at a new connection, or prepares it, before it is used. */
  readonly prepare?: (link: Link) => Promise<void>;
}

/** Connections to the servers of a place, from the first call on. */
export function natsChannel(options: NatsChannelOptions, closing: AbortSignal): NatsChannel {
  const { place, tls, logger, connectionWaitMs, prepare } = options;
  const servers = place.servers.map((server) => ({
    facts: { server },
    open: (signal: AbortSignal) => Link.open({ ...options, server, tls: tls?.(), signal }),
  }));
  return new Channel({ servers: () => servers, prepare, connectionWaitMs, logger }, closing);
}
