import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { CHANNEL_PROTOCOL, PEER_TLS_ENDED } from '../log/index.ts';
import { peekProtocols } from './client-hello.ts';

/** HTTPS instead of HTTP. */
export interface DoorTls {
  /** Certificate, key and authorities in PEM; asked at each connection, another object when they have changed. */
  readonly current: () => Pick<SecureContextOptions, 'cert' | 'key' | 'ca'>;
  /** Whether those who come for the log are asked for a certificate of `ca`. Nobody else ever is. */
  readonly askPeers: boolean;
}

const COMMON: TlsOptions = { minVersion: 'TLSv1.2', ALPNProtocols: [CHANNEL_PROTOCOL, 'http/1.1'] };

/** A server for HTTPS that goes over to new certificates by itself; connections that are there stay as they are. */
export function createHttpsServer(tls: DoorTls, options: { readonly keepAliveTimeout: number }): Server {
  let current = tls.current();
  const server = createServer({ ...COMMON, ...options, ...current });
  // Whatever certificate they show, they come through: the log tells them what is wrong with it.
  const forPeers = createTlsServer({ ...COMMON, ...current, requestCert: tls.askPeers, rejectUnauthorized: false });
  const beginning = new Set<string>();
  forPeers.on('secureConnection', (socket) => {
    beginning.delete(`${socket.remoteAddress} ${socket.remotePort}`);
    server.emit('secureConnection', socket);
  });

  const beginTls = server.listeners('connection') as ((socket: unknown) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const now = tls.current();
    if (now !== current) {
      current = now;
      server.setSecureContext(now);
      forPeers.setSecureContext(now);
    }
    peekProtocols(socket, (protocols) => {
      if (!protocols.includes(CHANNEL_PROTOCOL)) {
        for (const listener of beginTls) listener.call(server, socket);
        return;
      }
      const { remoteAddress, remotePort } = socket;
      const peer = `${remoteAddress} ${remotePort}`;
      beginning.add(peer);
      socket.once('close', () => {
        if (beginning.delete(peer)) server.emit(PEER_TLS_ENDED, remoteAddress);
      });
      forPeers.emit('connection', socket);
    });
  });
  return server;
}
