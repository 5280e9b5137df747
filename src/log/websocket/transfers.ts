import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { UnavailableError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import type { BlobInfo, BlobSource, SnapshotBody } from '../change-log.ts';
import { BlobMismatchError } from '../errors.ts';
import { Patience } from '../patience.ts';
import { type GetRequest, type PutRequest, TransferLink, type TransferReply } from './transfer.ts';
import { unpackError } from './wire.ts';

/** Hashes in one message. */
const REMOVE_BATCH = 10_000;
/** A connection that is done is kept for the next transfer. */
const IDLE = { most: 4, ms: 5000 };

/** The client's transfers: each has a connection to itself; those of blobs go on by themselves where they broke off. */
export class Transfers {
  readonly #connect: () => Promise<WebSocket>;
  readonly #closing: AbortSignal;
  readonly #links = new Set<TransferLink>();
  readonly #idle: { readonly link: TransferLink; readonly timer: NodeJS.Timeout }[] = [];

  /** @param connect  opens a connection that is admitted for a transfer, or says why it cannot */
  constructor(connect: () => Promise<WebSocket>, closing: AbortSignal) {
    this.#connect = connect;
    this.#closing = closing;
    closing.addEventListener('abort', () => {
      for (const link of this.#links) link.terminate();
    });
  }

  async putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    const patience = new Patience(this.#closing);
    let furthest = -1;
    const open = (from: number) => {
      if (from > furthest) patience.refresh();
      furthest = Math.max(furthest, from);
      return source.open(from);
    };
    // A log that cannot be reached in the first place is told at once, as for any call.
    for (let link: TransferLink | undefined = await this.#take(); ; link = undefined) {
      try {
        return await this.#put(link ?? (await this.#take()), { put: 'blob', hash, size: source.size }, open);
      } catch (error) {
        await patience.bear(error);
      }
    }
  }

  async putSnapshot(at: Position, body: Readable): Promise<void> {
    try {
      await this.#put(await this.#take(), { put: 'snapshot', at }, () => body);
    } finally {
      body.destroy();
    }
  }

  async getBlob(hash: ContentHash, from: number): Promise<Readable | undefined> {
    const patience = new Patience(this.#closing);
    const begin = async (at: number, taken?: TransferLink): Promise<Readable | undefined> => {
      for (let link = taken; ; link = undefined) {
        try {
          return (await this.#get(link ?? (await this.#take()), { get: 'blob', hash, from: at }))?.body;
        } catch (error) {
          await patience.bear(error);
        }
      }
    };
    const first = await begin(from, await this.#take());
    if (first === undefined) return undefined;
    const digest = from === 0 ? createHash('sha256') : undefined;
    return continued(first, {
      each: (chunk) => {
        patience.refresh();
        digest?.update(chunk);
      },
      again: async (received, error) => {
        await patience.bear(error);
        const rest = await begin(from + received);
        if (rest !== undefined) return rest;
        throw new UnavailableError('blob-missing', `the blob ${hash} was removed from the log while it was read`);
      },
      whyNot: () => {
        const actual = digest?.digest('hex') as ContentHash | undefined;
        return actual === undefined || actual === hash ? undefined : new BlobMismatchError(hash, actual);
      },
    });
  }

  async getSnapshot(upTo: Position | undefined): Promise<SnapshotBody | undefined> {
    const found = await this.#get(await this.#take(), { get: 'snapshot', upTo });
    return found && { at: found.at!, body: found.body };
  }

  async *blobs(): AsyncIterableIterator<readonly BlobInfo[]> {
    const found = await this.#get(await this.#take(), { get: 'blobs' });
    if (found === undefined) return;
    // The lines do not fail with the body that they come from.
    let failure: unknown;
    found.body.once('error', (error) => {
      failure = error;
    });
    for await (const line of createInterface({ input: found.body })) yield JSON.parse(line) as readonly BlobInfo[];
    if (failure !== undefined) throw failure;
  }

  async removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    for (let i = 0; i < hashes.length; i += REMOVE_BATCH)
      await this.#using(await this.#take(), async (link) => {
        link.say({ remove: hashes.slice(i, i + REMOVE_BATCH), storedBefore });
        checked(await link.hear<TransferReply>());
      });
  }

  #put(link: TransferLink, request: PutRequest, open: (from: number) => Readable): Promise<void> {
    return this.#using(link, async () => {
      link.say(request);
      for (let reply = checked(await link.hear<TransferReply>()); !('done' in reply); ) {
        if (!('send' in reply)) throw unexpected();
        const body = open(reply.send);
        const next = link.hear<TransferReply>();
        const sending = link.send(body);
        try {
          // Whichever comes first: a server that refuses does not wait for the end.
          await Promise.race([sending, next]);
        } finally {
          next.catch(() => {});
          body.destroy();
        }
        await sending.catch(() => link.endBody());
        reply = checked(await next);
      }
    });
  }

  /** Gives the connection back when the body has come to its end, and ends it when the body is left earlier. */
  async #get(link: TransferLink, request: GetRequest): Promise<{ at?: Position; body: Readable } | undefined> {
    try {
      const body = link.body();
      link.say(request);
      const reply = checked(await link.hear<TransferReply>());
      if (!('found' in reply)) throw unexpected();
      if (!reply.found) {
        link.terminate();
        return undefined;
      }
      body.once('close', () => (body.readableEnded ? this.#giveBack(link) : link.terminate()));
      return { at: reply.at, body };
    } catch (error) {
      link.terminate();
      throw error;
    }
  }

  async #using(link: TransferLink, run: (link: TransferLink) => Promise<void>): Promise<void> {
    try {
      await run(link);
      this.#giveBack(link);
    } catch (error) {
      link.terminate();
      throw error;
    }
  }

  async #take(): Promise<TransferLink> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      clearTimeout(idle.timer);
      if (idle.link.open) return idle.link;
    }
    const socket = await this.#connect();
    const link = new TransferLink(socket);
    this.#links.add(link);
    socket.once('close', () => this.#links.delete(link));
    if (this.#closing.aborted) link.terminate();
    return link;
  }

  #giveBack(link: TransferLink): void {
    if (!link.open || this.#idle.length >= IDLE.most) {
      link.close();
      return;
    }
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((idle) => idle.link === link),
        1,
      );
      link.close();
    }, IDLE.ms).unref();
    this.#idle.push({ link, timer });
  }
}

interface Continuation {
  /** Given each piece as it comes. */
  each(chunk: Uint8Array): void;
  /** Gives the rest after so many bytes, or throws why there is none. */
  again(received: number, error: unknown): Promise<Readable>;
  /** Why what came is not right, asked at the end. */
  whyNot(): Error | undefined;
}

/** A body that goes on in another one when it fails. */
function continued(first: Readable, { each, again, whyNot }: Continuation): Readable {
  let source = first;
  let received = 0;
  const body = new Readable({
    read: () => source.resume(),
    destroy: (error, done) => {
      source.destroy();
      done(error);
    },
  });
  const follow = (next: Readable) => {
    source = next;
    if (body.destroyed) {
      next.destroy();
      return;
    }
    next.on('data', (chunk: Buffer) => {
      received += chunk.length;
      each(chunk);
      if (!body.push(chunk)) next.pause();
    });
    next.once('end', () => {
      const error = whyNot();
      if (error === undefined) body.push(null);
      else body.destroy(error);
    });
    next.once('error', (error) => {
      if (!body.destroyed) again(received, error).then(follow, (final) => body.destroy(final));
    });
  };
  follow(first);
  return body;
}

/** @throws what the server says went wrong */
function checked(reply: TransferReply): Exclude<TransferReply, { failed: unknown }> {
  if ('failed' in reply) throw unpackError(reply.failed);
  return reply;
}

function unexpected(): Error {
  return new UnavailableError('log-failed', 'the server of the log gave an answer to another question');
}
