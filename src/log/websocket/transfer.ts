import { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { UnavailableError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import { type PackedError, unpackError } from './wire.ts';

/*
 * A connection for one long body. The client says what it wants; the side that has the bytes sends them as binary messages and
 * then `{"end":true}`; the other side ends it. Nothing is taken for whole that did not come to its end.
 */

export type TransferRequest =
  | { readonly put: 'blob'; readonly hash: ContentHash }
  | { readonly put: 'snapshot'; readonly at: Position }
  | { readonly get: 'blob'; readonly hash: ContentHash }
  | { readonly get: 'snapshot' };

/** The server's answer: to a get before the bytes, to a put after them. */
export type TransferReply =
  | { readonly found: false }
  | { readonly found: true; readonly at?: Position }
  | { readonly stored: true }
  | { readonly failed: PackedError };

const END = '{"end":true}';
/** So many bytes may wait in this process. */
const WAITING_BYTES_MAX = 1024 * 1024;
const CHUNK_BYTES_MAX = 256 * 1024;
/** A transfer is given up when nothing moved for so long. */
export const STALLED_MS = 60_000;

/** Sends a body to its end; when it breaks off, so does the connection. */
export async function sendBody(socket: WebSocket, body: AsyncIterable<Uint8Array>): Promise<void> {
  const stalled = new Stalled(socket);
  try {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; at += CHUNK_BYTES_MAX) {
        stalled.moved();
        await send(socket, chunk.subarray(at, at + CHUNK_BYTES_MAX));
      }
    }
    socket.send(END);
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    stalled.done();
  }
}

function send(socket: WebSocket, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const waits = socket.bufferedAmount + chunk.length > WAITING_BYTES_MAX;
    socket.send(chunk, { binary: true }, (error) => {
      if (error)
        reject(new UnavailableError('log-unreachable', `the transfer broke off: ${error.message}`, { cause: error }));
      else if (waits) resolve();
    });
    if (!waits) resolve();
  });
}

/**
 * What comes in on a connection: first a text message, then a body, which fails when the connection ends too early, and ends the
 * connection when it is destroyed. To be called before anything can come.
 */
export function receive<First>(socket: WebSocket): { readonly first: Promise<First>; readonly body: Readable } {
  const first = Promise.withResolvers<First>();
  // Whoever asks for the body may not ask for this.
  first.promise.catch(() => {});
  const stalled = new Stalled(socket);
  let begun = false;
  let complete = false;
  const body = new Readable({
    highWaterMark: WAITING_BYTES_MAX,
    read: () => socket.resume(),
    destroy: (error, done) => {
      stalled.done();
      if (!complete) socket.terminate();
      done(error);
    },
  });
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    stalled.moved();
    if (!begun && !isBinary) {
      begun = true;
      try {
        first.resolve(JSON.parse(data.toString()) as First);
      } catch (error) {
        first.reject(error);
      }
    } else if (!isBinary) {
      // Anything else is an error that came up on the way.
      complete = data.toString() === END;
      if (complete) body.push(null);
      else body.destroy(new UnavailableError('log-failed', 'the other side could not complete the transfer'));
    } else if (!body.push(data)) socket.pause();
  });
  const broken = () => {
    stalled.done();
    const error = new UnavailableError('log-unreachable', 'the connection broke off during a transfer');
    first.reject(error);
    // A body that nobody reads must not fail where nobody listens.
    if (!complete && !body.destroyed) body.once('error', () => {}).destroy(error);
  };
  socket.once('close', broken);
  socket.once('error', broken);
  return { first: first.promise, body };
}

/** @throws what the server says went wrong */
export function checkReply<R extends TransferReply>(reply: R): Exclude<R, { failed: PackedError }> {
  if ('failed' in reply) throw unpackError(reply.failed);
  return reply as Exclude<R, { failed: PackedError }>;
}

/** Ends a connection on which nothing moves. */
class Stalled {
  readonly #timer: NodeJS.Timeout;

  constructor(socket: WebSocket) {
    this.#timer = setTimeout(() => socket.terminate(), STALLED_MS).unref();
  }

  moved(): void {
    this.#timer.refresh();
  }

  done(): void {
    clearTimeout(this.#timer);
  }
}
