import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { systemClock, UnavailableError } from '../../base/index.ts';
import type { ContentHash } from '../../tree/index.ts';
import type { BlobInfo, BlobSource } from '../change-log.ts';
import { BlobMismatchError, checkBlobFrom, LogClosedError, sizeMismatch } from '../errors.ts';
import { Patience } from '../patience.ts';
import {
  type Begun,
  type Bodies,
  type Body,
  newBodyName,
  nobody,
  PartTakenError,
  PartWriter,
  partBytesOn,
} from './bodies.ts';
import type { NatsChannel } from './channel.ts';
import type { Link } from './link.ts';
import { type BodyName, lastWord, type Names } from './names.ts';
import { pull } from './pull.ts';
import type { StoredMessage, Streams } from './streams.ts';

/** An upload on which nothing has moved for so long is continued by whoever waits for it. */
const STALLED_MS = 2000;
const LOOK_AGAIN_MS = 200;
/** Removed at the same time. */
const REMOVE_AT_ONCE = 16;

/** What the message of a blob says: where its bytes are, or that it was removed, and where they had been. */
type Meta = { readonly body: Body } | { readonly removed: BodyName };

interface Found {
  readonly meta: Meta | undefined;
  /** Sequence number of the message; 0 when there is none. What replaces it has to name it. */
  readonly sequence: number;
  readonly storedAt: string;
}

/**
 * Blobs. A message for each says that it is there, and which parts are its bytes; it is written when all of them are there and
 * verified, and whoever writes it has to have seen the one before. So of one who removes a blob and one who puts it again, one
 * comes first, and the other sees it. A removed blob leaves such a message for a day.
 */
export class Blobs {
  readonly #channel: NatsChannel;
  readonly #streams: Streams;
  readonly #names: Names;
  readonly #bodies: Bodies;
  readonly #heartbeatMs: number;
  /** The hash of what has been stored of uploads that broke off, so that it need not be read again. */
  readonly #digests = new Map<BodyName, { readonly bytes: number; readonly digest: Hash }>();

  constructor(channel: NatsChannel, streams: Streams, names: Names, bodies: Bodies, heartbeatMs: number) {
    this.#channel = channel;
    this.#streams = streams;
    this.#names = names;
    this.#bodies = bodies;
    this.#heartbeatMs = heartbeatMs;
  }

  async put(hash: ContentHash, source: BlobSource): Promise<void> {
    const patience = new Patience(this.#channel.closing);
    const upload = new Upload(hash, source, patience);
    // A log that cannot be reached in the first place is told at once, as for any call.
    if (await this.#touch(hash, upload)) return;
    for (;;) {
      try {
        if (await this.#attempt(upload)) return;
      } catch (error) {
        if (this.#channel.closing.aborted) throw new LogClosedError();
        if (error instanceof PartTakenError) await this.#giveWay(upload);
        else await patience.bear(error);
      }
    }
  }

  has(hash: ContentHash): Promise<boolean> {
    return this.#channel.ask(async (link) => bodyOf(await this.#find(link, hash)) !== undefined);
  }

  /** @throws RangeError */
  async get(hash: ContentHash, from: number): Promise<Readable | undefined> {
    const body = bodyOf(await this.#channel.ask((link) => this.#find(link, hash)));
    if (body === undefined) return undefined;
    checkBlobFrom(hash, from, body.size);
    if (from > 0) return this.#bodies.stream(body, from);
    const digest = createHash('sha256');
    return this.#bodies.stream(
      body,
      0,
      (chunk) => digest.update(chunk),
      () => {
        const actual = digest.digest('hex') as ContentHash;
        return actual === hash ? undefined : new BlobMismatchError(hash, actual);
      },
    );
  }

  async *list(): AsyncIterableIterator<readonly BlobInfo[]> {
    const link = await this.#channel.connected();
    const { closing } = this.#channel;
    const options = { filter: this.#names.blob('*'), follow: false, heartbeatMs: this.#heartbeatMs, signal: closing };
    for await (const batch of pull(this.#streams, link, this.#names.bodies, options)) {
      const infos: BlobInfo[] = [];
      for (const { subject, data, storedMs } of batch) {
        const meta = metaIn(data);
        if ('body' in meta)
          infos.push({
            hash: lastWord(subject) as ContentHash,
            size: meta.body.size,
            storedAt: new Date(storedMs).toISOString(),
          });
      }
      if (infos.length > 0) yield infos;
    }
    if (closing.aborted) throw new LogClosedError();
  }

  async remove(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    const beforeMs = Date.parse(storedBefore);
    for (let at = 0; at < hashes.length; at += REMOVE_AT_ONCE)
      await Promise.all(hashes.slice(at, at + REMOVE_AT_ONCE).map((hash) => this.#remove(hash, beforeMs)));
  }

  async #remove(hash: ContentHash, beforeMs: number): Promise<void> {
    for (;;) {
      const isDone = await this.#channel.ask(async (link) => {
        const found = await this.#find(link, hash);
        const body = bodyOf(found);
        if (body === undefined || Date.parse(found.storedAt) >= beforeMs) return true;
        if (!(await this.#say(link, hash, { removed: body.name }, found.sequence))) return false;
        await this.#bodies.remove(link, body.name);
        return true;
      });
      if (isDone) return;
    }
  }

  async #find(link: Link, hash: ContentHash): Promise<Found> {
    const message: StoredMessage | undefined = await this.#streams.last(
      link,
      this.#names.bodies,
      this.#names.blob(hash),
    );
    if (message === undefined) return { meta: undefined, sequence: 0, storedAt: '' };
    return { meta: metaIn(message.data), sequence: message.sequence, storedAt: message.storedAt };
  }

  /**
   * Writes what is known about a blob. With replicas, servers of 2.9 may take two messages at the same time that name the same one
   * before; so it counts only if it is still the last when both have been decided, and whoever comes later has seen it.
   *
   * @returns false: somebody else has, meanwhile
   */
  async #say(link: Link, hash: ContentHash, meta: Meta, seen: number): Promise<boolean> {
    const answer = await this.#streams.store(link, this.#names.blob(hash), JSON.stringify(meta), {
      lastOfSubject: seen,
    });
    if (answer.kind === 'nobody') throw nobody(link);
    if (answer.kind === 'refused') return false;
    if ((await this.#streams.barrier(link, this.#names.barrier)) === undefined) throw nobody(link);
    return (await this.#find(link, hash)).sequence === answer.sequence;
  }

  /** @returns whether it is there; then it counts as stored now */
  async #touch(hash: ContentHash, upload: Upload): Promise<boolean> {
    for (;;) {
      const done = await this.#channel.ask(async (link) => {
        const found = await this.#find(link, hash);
        const body = bodyOf(found);
        upload.seen = found;
        if (body === undefined) return false;
        return (await this.#say(link, hash, { body }, found.sequence)) ? true : undefined;
      });
      if (done !== undefined) return done;
    }
  }

  /** @returns false: look again */
  async #attempt(upload: Upload): Promise<boolean> {
    const { hash, source } = upload;
    if (await this.#touch(hash, upload)) {
      const { own, seen } = upload;
      // Somebody else's came first; unless it is this one, the answer to which was lost.
      if (own !== undefined && bodyOf(seen!)?.name !== own)
        await this.#channel.ask((link) => this.#bodies.remove(link, own)).catch(() => {});
      return true;
    }
    const link = await this.#channel.connected();
    const begun = await this.#begun(link, upload);
    const { body } = begun;
    const progress = await this.#digestOf(begun);
    if (begun.stored < source.size || source.size === 0) await this.#send(link, begun, progress, upload);
    this.#digests.delete(body.name);
    const actual = progress.digest.digest('hex') as ContentHash;
    if (actual !== hash) {
      // All its parts are there, and they are not the blob: nobody can complete it any more.
      await this.#bodies.remove(link, body.name);
      // What came before may have been somebody's mistake.
      if (upload.own === body.name && upload.isAllOwn) throw new BlobMismatchError(hash, actual);
      upload.own = undefined;
      return false;
    }
    if (!(await this.#bodies.isWhole(link, body))) {
      upload.avoided.add(body.name);
      return false;
    }
    return this.#say(link, hash, { body }, upload.seen!.sequence);
  }

  /** The upload to go on with: one that broke off, or a new one. */
  async #begun(link: Link, upload: Upload): Promise<Begun> {
    const { hash, source, seen, avoided } = upload;
    const begun = new Map<BodyName, Begun>();
    const useless = new Set(avoided);
    if (seen?.meta !== undefined && 'removed' in seen.meta) useless.add(seen.meta.removed);
    for await (const { name, number, bytes } of this.#bodies.listed(link, hash)) {
      const body = bodyNamed(name);
      const before = begun.get(name) ?? { body: body!, parts: 0, stored: 0 };
      const isNext =
        body?.size === source.size &&
        number === before.parts &&
        bytes === Math.min(body.partBytes, body.size - before.stored);
      if (!isNext) useless.add(name);
      else begun.set(name, { body, parts: number + 1, stored: before.stored + bytes });
    }
    const usable = [...begun.values()].filter(({ body }) => !useless.has(body.name));
    const best = usable.sort((a, b) => b.stored - a.stored)[0];
    if (best !== undefined) {
      if (best.body.name !== upload.own) upload.isAllOwn = false;
      return best;
    }
    const partBytes = partBytesOn(link);
    const body = { name: newBodyName(`${hash}`), size: source.size, partBytes };
    const named = { ...body, name: `${body.name}-${body.size}-${partBytes}` as BodyName };
    upload.own = named.name;
    upload.isAllOwn = true;
    return { body: named, parts: 0, stored: 0 };
  }

  /** The hash of what is there already. */
  async #digestOf({ body, stored }: Begun): Promise<{ bytes: number; digest: Hash }> {
    const known = this.#digests.get(body.name);
    const progress =
      known !== undefined && known.bytes <= stored
        ? { bytes: known.bytes, digest: known.digest.copy() }
        : { bytes: 0, digest: createHash('sha256') };
    if (progress.bytes === stored) return progress;
    const there = { ...body, size: stored };
    for await (const piece of this.#bodies.pieces(there, progress.bytes, this.#channel.closing)) {
      progress.digest.update(piece);
      progress.bytes += piece.length;
    }
    if (this.#channel.closing.aborted) throw new LogClosedError();
    return progress;
  }

  async #send(link: Link, begun: Begun, progress: { bytes: number; digest: Hash }, upload: Upload): Promise<void> {
    const { hash, source, patience } = upload;
    const { closing } = this.#channel;
    const { body } = begun;
    const writer = new PartWriter(this.#bodies, link, body, begun.parts, (bytes) => {
      progress.digest.update(bytes);
      progress.bytes += bytes.length;
      patience.refresh();
    });
    let size = begun.stored;
    const input = source.open(begun.stored);
    const end = () => input.destroy(new LogClosedError());
    const broken = () =>
      input.destroy(new UnavailableError('log-unreachable', `${link.server}: the connection was lost`));
    closing.addEventListener('abort', end, { once: true });
    const forgetLink = link.whenEnded(broken);
    try {
      if (closing.aborted) end();
      for await (const chunk of input as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > source.size)
          throw sizeMismatch(hash, progress.digest.copy().digest('hex') as ContentHash, source.size);
        await writer.write(chunk);
      }
      await writer.end();
    } catch (error) {
      // What is on its way counts for whoever goes on.
      await writer.settle().catch(() => {});
      throw error;
    } finally {
      closing.removeEventListener('abort', end);
      forgetLink();
      input.destroy();
      this.#remember(body.name, progress);
    }
    if (size < source.size) throw sizeMismatch(hash, progress.digest.copy().digest('hex') as ContentHash, source.size);
  }

  #remember(name: BodyName, { bytes, digest }: { bytes: number; digest: Hash }): void {
    this.#digests.set(name, { bytes, digest: digest.copy() });
    if (this.#digests.size > 64) this.#digests.delete(this.#digests.keys().next().value!);
  }

  /** Waits while another upload of the same blob moves. */
  async #giveWay(upload: Upload): Promise<void> {
    let before = -1;
    for (let movedMs = performance.now(); performance.now() - movedMs < STALLED_MS; ) {
      await systemClock.sleep(LOOK_AGAIN_MS * (0.5 + Math.random()), this.#channel.closing).catch(() => {});
      if (this.#channel.closing.aborted) throw new LogClosedError();
      let now = 0;
      try {
        const link = await this.#channel.connected();
        if (bodyOf(await this.#find(link, upload.hash)) !== undefined) return;
        const filter = this.#names.part(`${upload.hash}.*` as '*.*', '*');
        now = (await this.#streams.last(link, this.#names.bodies, filter))?.sequence ?? 0;
      } catch (error) {
        await upload.patience.bear(error);
      }
      if (now !== before) {
        movedMs = performance.now();
        upload.patience.refresh();
      }
      before = now;
    }
  }
}

/** One call to put a blob. */
class Upload {
  readonly hash: ContentHash;
  readonly source: BlobSource;
  readonly patience: Patience;
  /** Bodies that are of no use. */
  readonly avoided = new Set<BodyName>();
  /** What was known when it was last looked at. */
  seen: Found | undefined;
  /** The body that this call began. */
  own: BodyName | undefined;
  /** Whether nobody else can have had a part in it. */
  isAllOwn = false;

  constructor(hash: ContentHash, source: BlobSource, patience: Patience) {
    this.hash = hash;
    this.source = source;
    this.patience = patience;
  }
}

function bodyOf({ meta }: Found): Body | undefined {
  return meta !== undefined && 'body' in meta ? meta.body : undefined;
}

function metaIn(data: Uint8Array): Meta {
  return JSON.parse(Buffer.from(data).toString()) as Meta;
}

/** An upload that may be continued has size and length of its parts in its name. */
function bodyNamed(name: BodyName): Body | undefined {
  const [, size, partBytes] = /-(\d+)-(\d+)$/.exec(name) ?? [];
  return size === undefined ? undefined : { name, size: Number(size), partBytes: Number(partBytes) };
}
