import type { Readable } from 'node:stream';
import { UnavailableError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { SnapshotBody, SnapshotInfo } from '../change-log.ts';
import { LogClosedError } from '../errors.ts';
import { type Bodies, type Body, newBodyName, nobody, PartWriter, partBytesOn } from './bodies.ts';
import type { NatsChannel } from './channel.ts';
import type { Link } from './link.ts';
import { lastWord, type Names } from './names.ts';
import type { StoredMessage, Streams } from './streams.ts';

/** Snapshots: as for blobs, a message for each says that it is whole, and which parts are its bytes. */
export class Snapshots {
  readonly #channel: NatsChannel;
  readonly #streams: Streams;
  readonly #names: Names;
  readonly #bodies: Bodies;

  constructor(channel: NatsChannel, streams: Streams, names: Names, bodies: Bodies) {
    this.#channel = channel;
    this.#streams = streams;
    this.#names = names;
    this.#bodies = bodies;
  }

  async put(at: Position, input: Readable): Promise<void> {
    const { closing } = this.#channel;
    const end = () => input.destroy(new LogClosedError());
    closing.addEventListener('abort', end, { once: true });
    try {
      if (closing.aborted) throw new LogClosedError();
      const link = await this.#channel.connected();
      const body = await this.#write(link, at, input);
      await this.#publish(link, at, body);
    } finally {
      closing.removeEventListener('abort', end);
      input.destroy();
    }
  }

  async list(): Promise<readonly SnapshotInfo[]> {
    const found = await this.#channel.ask((link) => this.#all(link));
    return found.map(({ at, body, message }) => ({ at, size: body.size, storedAt: message.storedAt }));
  }

  async latest(upTo?: Position): Promise<SnapshotBody | undefined> {
    const found = (await this.#channel.ask((link) => this.#all(link))).findLast(
      ({ at }) => upTo === undefined || at <= upTo,
    );
    return found && { at: found.at, body: this.#bodies.stream(found.body) };
  }

  /** Forgets those below a position. */
  async removeBelow(link: Link, position: Position): Promise<void> {
    for (const { at, body, message } of await this.#all(link)) {
      if (at >= position) continue;
      // Only the one that was seen: its message goes first, so nobody finds one without bytes.
      const filter = this.#names.snapshot(at);
      await this.#streams.purge(link, this.#names.bodies, { filter, seq: message.sequence + 1 });
      await this.#bodies.remove(link, body.name);
    }
  }

  async #write(link: Link, at: Position, input: Readable): Promise<Body> {
    const partBytes = partBytesOn(link);
    const name = newBodyName(`s${at}`);
    let size = 0;
    const writer = new PartWriter(this.#bodies, link, { name, partBytes }, 0, (bytes) => {
      size += bytes.length;
    });
    const broken = () =>
      input.destroy(new UnavailableError('log-unreachable', `${link.server}: the connection was lost`));
    const forgetLink = link.whenEnded(broken);
    try {
      for await (const chunk of input as AsyncIterable<Uint8Array>) await writer.write(chunk);
      await writer.end();
    } catch (error) {
      await writer.settle().catch(() => {});
      if (link.open) await this.#bodies.remove(link, name).catch(() => {});
      throw error;
    } finally {
      forgetLink();
    }
    return { name, size, partBytes };
  }

  async #publish(link: Link, at: Position, body: Body): Promise<void> {
    const subject = this.#names.snapshot(at);
    for (;;) {
      const before = await this.#streams.last(link, this.#names.bodies, subject);
      const { kind } = await this.#streams.store(link, subject, JSON.stringify(body), {
        lastOfSubject: before?.sequence ?? 0,
      });
      if (kind === 'nobody') throw nobody(link);
      if (kind === 'refused') continue;
      if (before !== undefined) await this.#bodies.remove(link, bodyIn(before).name).catch(() => {});
      return;
    }
  }

  /** Ascending. */
  async #all(link: Link): Promise<readonly { at: Position; body: Body; message: StoredMessage }[]> {
    const subjects = await this.#streams.subjects(link, this.#names.bodies, this.#names.snapshot('*'));
    const found = [];
    for (const subject of subjects) {
      const message = await this.#streams.last(link, this.#names.bodies, subject);
      if (message !== undefined)
        found.push({ at: Number(lastWord(subject)) as Position, body: bodyIn(message), message });
    }
    return found.sort((a, b) => a.at - b.at);
  }
}

function bodyIn(message: StoredMessage): Body {
  return JSON.parse(message.data.toString()) as Body;
}
