import { createSocket, type Socket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { messageOf, UserError } from '../../base/index.ts';
import type { OpenDatagramChannel } from './types.ts';

export interface MulticastAddress {
  /** An IPv4 multicast address, `239.x.x.x` for use within an organisation. */
  readonly address: string;
  readonly port: number;
}

export const DEFAULT_DISCOVERY_ADDRESS = '239.77.124.1:7712';

/** @throws UserError  the text is no multicast address with a port */
export function parseMulticastAddress(text: string): MulticastAddress {
  const [, address, port] = /^([\d.]+):(\d{1,5})$/.exec(text.trim()) ?? [];
  const first = Number(address?.split('.', 1)[0]);
  if (
    address === undefined ||
    !isIPv4(address) ||
    first < 224 ||
    first > 239 ||
    Number(port) > 65_535 ||
    Number(port) < 1
  )
    throw new UserError(
      400,
      'bad-discovery-address',
      `${JSON.stringify(text)} is no multicast address with a port, like ${DEFAULT_DISCOVERY_ADDRESS}`,
    );
  return { address, port: Number(port) };
}

/** Datagrams do not leave the local network. */
const HOPS = 1;

/**
 * Multicast over UDP: every datagram reaches all who listen at the address, on the networks of these interfaces.
 *
 * @param interfaces  IPv4 addresses of this machine; default: all that it has
 */
export function multicast(
  { address, port }: MulticastAddress,
  interfaces: readonly string[] = ownAddresses(),
): OpenDatagramChannel {
  return async (onDatagram) => {
    const sockets: Socket[] = [];
    const close = () => Promise.all(sockets.map((socket) => new Promise<void>((done) => socket.close(() => done()))));
    try {
      const receiver = await bound(sockets, { port });
      receiver.on('message', (datagram, from) => onDatagram(datagram, from.address));
      const senders: Socket[] = [];
      let problem: unknown = new Error('this machine has no IPv4 address');
      for (const each of interfaces) {
        try {
          receiver.addMembership(address, each);
          const sender = await bound(sockets, { address: each, port: 0 });
          sender.setMulticastInterface(each);
          sender.setMulticastTTL(HOPS);
          // Other nodes may run on this machine.
          sender.setMulticastLoopback(true);
          senders.push(sender);
        } catch (error) {
          // Some interfaces cannot: tunnels, for example.
          problem = error;
        }
      }
      if (senders.length === 0) throw problem;
      return {
        // What cannot be sent now is sent again in a second; an interface may be down for a while.
        send: (datagram) => {
          for (const sender of senders) sender.send(datagram, port, address, () => {});
        },
        close: async () => {
          await close();
        },
      };
    } catch (cause) {
      await close();
      throw new UserError(
        400,
        'no-multicast',
        `multicast to ${address}:${port} does not work on ${interfaces.join(', ') || 'this machine'}: ${messageOf(cause)}; ` +
          'name the log with --log, or another network with --discovery-interface',
        { cause },
      );
    }
  };
}

function bound(sockets: Socket[], at: { readonly address?: string; readonly port: number }): Promise<Socket> {
  // Several nodes of one machine listen at the same port.
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  sockets.push(socket);
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(at, () => {
      socket.off('error', reject);
      // An error of one datagram; the next may do.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flat()
    .filter((each) => each?.family === 'IPv4')
    .map((each) => each!.address);
}
