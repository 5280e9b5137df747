import type { Socket } from 'node:net';

/*
 * The first message of TLS, read before TLS is begun: only those who come for the log are asked for a certificate, and TLS
 * offers no way to ask once it is known what a client wants. Layout: RFC 8446, 4.1.2 and 5.1; ALPN: RFC 7301.
 */

const RECORD_HEAD_BYTES = 5;
const RECORD_BYTES_MAX = 16 * 1024;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const ALPN_EXTENSION = 16;
const HELLO_MS = 10_000;

/**
 * The protocols that a client offers (ALPN) in its first record.
 *
 * @returns none for anything that is not understood; undefined when the record is not complete yet
 */
export function offeredProtocols(bytes: Buffer): readonly string[] | undefined {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE_RECORD) return [];
  if (bytes.length < RECORD_HEAD_BYTES) return undefined;
  const length = bytes.readUInt16BE(3);
  if (length > RECORD_BYTES_MAX) return [];
  if (bytes.length < RECORD_HEAD_BYTES + length) return undefined;
  try {
    return protocolsIn(bytes.subarray(RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + length));
  } catch (error) {
    // What is cut off or lies about its length; TLS itself will say so.
    if (error instanceof RangeError) return [];
    throw error;
  }
}

/** @throws RangeError  it ends too early */
function protocolsIn(message: Buffer): readonly string[] {
  if (message.readUInt8(0) !== CLIENT_HELLO) return [];
  // Kind and length, version, random number.
  let at = 4 + 2 + 32;
  at += 1 + message.readUInt8(at);
  at += 2 + message.readUInt16BE(at);
  at += 1 + message.readUInt8(at);
  const end = at + 2 + message.readUInt16BE(at);
  for (at += 2; at < end; ) {
    const kind = message.readUInt16BE(at);
    const next = at + 4 + message.readUInt16BE(at + 2);
    if (kind === ALPN_EXTENSION) {
      const protocols: string[] = [];
      for (at += 6; at < next; at += 1 + message.readUInt8(at))
        protocols.push(message.toString('latin1', at + 1, at + 1 + message.readUInt8(at)));
      return protocols;
    }
    at = next;
  }
  return [];
}

/** Looks at the first message of a new connection, and puts it back. Who sends none is cut off, and `seen` not called. */
export function peekProtocols(socket: Socket, seen: (protocols: readonly string[]) => void): void {
  const chunks: Buffer[] = [];
  const timer = setTimeout(() => socket.destroy(), HELLO_MS).unref();
  const end = () => {
    clearTimeout(timer);
    socket.off('readable', onReadable);
    socket.off('error', end);
    socket.off('close', end);
  };
  const onReadable = () => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
      chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const protocols = offeredProtocols(bytes);
    if (protocols === undefined) return;
    end();
    socket.unshift(bytes);
    seen(protocols);
  };
  socket.on('readable', onReadable);
  socket.once('error', end);
  socket.once('close', end);
}
