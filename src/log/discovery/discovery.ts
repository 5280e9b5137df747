import { randomUUID } from 'node:crypto';
import { type Clock, type Logger, messageOf, silentLogger, UserError } from '../../base/index.ts';
import { Wakeup } from '../wakeup.ts';
import type { ClusterSecrets } from '../websocket/index.ts';
import { Refusals } from '../websocket/index.ts';
import { decodeAnnouncement, encodeAnnouncement } from './datagram.ts';
import { placeOfLog } from './decide.ts';
import type { Announcement, DatagramChannel, LogPlace, Neighbour, OpenDatagramChannel } from './types.ts';

/** What changes in an announcement while the node runs. */
export type Said = Pick<Announcement, 'candidate' | 'follows' | 'log'>;

export interface DiscoveryOptions {
  readonly group: string;
  readonly name: string;
  readonly url: string;
  /** Without, announcements are neither signed nor checked. */
  readonly secrets?: ClusterSecrets;
  readonly network: OpenDatagramChannel;
  readonly clock: Clock;
  /** From 0 to below 1: nodes that start together do not speak together. */
  readonly random: () => number;
  readonly instance?: string;
  readonly logger?: Logger;
  /** Milliseconds from one announcement to the next. Default: 1000. */
  readonly everyMs?: number;
}

/** A node is forgotten when so many of its announcements are missing. */
const MISSING_MAX = 4;
/** Who has heard nothing in the time of so many announcements is taken to be first. */
const LISTEN = 4;
/** Announcements that the process should have made since it last did anything: more, and it stood still. */
const STANDSTILL = 1.5;
/** A network with more nodes than this is somebody's attempt to fill the memory. */
const NEIGHBOURS_MAX = 1000;

/** Hears of the other nodes of the group, and lets them hear of this one. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #logger: Logger;
  readonly #ignored: Refusals;
  readonly #instance: string;
  readonly #heard = new Map<string, { readonly neighbour: Neighbour; untilMs: number }>();
  readonly #changed = new Wakeup();
  readonly #closing = new AbortController();
  #listeningSinceMs: number;
  #awakeMs: number;
  /** Where the log of this node was last, for when its holder is silent. */
  #lastUrls: readonly string[] = [];
  #said: Said = {};
  #channel: DatagramChannel | undefined;
  #running: Promise<void> | undefined;

  private constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#ignored = new Refusals(this.#logger, options.clock, 'announcement-ignored');
    this.#instance = options.instance ?? randomUUID();
    this.#listeningSinceMs = this.#awakeMs = options.clock.monotonicMs();
  }

  /** @throws UserError  the network cannot be used for this, or the node's name and URL are too long */
  static async open(options: DiscoveryOptions, said: Said): Promise<Discovery> {
    const discovery = new Discovery(options);
    discovery.#said = said;
    try {
      discovery.#datagram();
    } catch (error) {
      throw new UserError(400, 'announcement-too-long', messageOf(error), { cause: error });
    }
    discovery.#channel = await options.network((datagram, address) => discovery.#receive(datagram, address));
    discovery.#running = discovery.#announce();
    return discovery;
  }

  /** Those heard of in the last seconds, by name. */
  get neighbours(): readonly Neighbour[] {
    const now = this.#now();
    for (const [instance, { untilMs }] of this.#heard) if (untilMs <= now) this.#heard.delete(instance);
    return [...this.#heard.values()]
      .map((each) => each.neighbour)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /** Changes what is announced, and says it at once. */
  say(said: Said): void {
    this.#said = said;
    this.#send();
  }

  /** Where the log of this node is, as far as is known now. */
  place(): LogPlace {
    const { name } = this.#options;
    const { candidate = false, follows } = this.#said;
    const { neighbours } = this;
    const listened = this.#now() - this.#listeningSinceMs >= LISTEN * this.#everyMs;
    return placeOfLog({ name, instance: this.#instance, candidate, follows, neighbours, listened });
  }

  /**
   * Waits until the log's place is known.
   *
   * @param onWait  hears what for, whenever that changes
   * @throws UserError  there are several logs
   * @throws the signal's reason
   */
  async found(
    signal: AbortSignal,
    onWait: (reason: string) => void = () => {},
  ): Promise<Extract<LogPlace, { kind: 'follow' | 'start' }>> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    let said = '';
    for (;;) {
      either.throwIfAborted();
      const place = this.place();
      if (place.kind === 'several') throw new UserError(409, 'several-logs', place.reason);
      if (place.kind !== 'wait') return place;
      if (place.reason !== said) {
        this.#logger.info('log-awaited', { group: this.#options.group, reason: place.reason });
        onWait(place.reason);
      }
      said = place.reason;
      // Something may also change because somebody is not heard any more.
      const enough = new AbortController();
      const tick = this.#options.clock
        .sleep(this.#everyMs / 4, AbortSignal.any([either, enough.signal]))
        .catch(() => {});
      await Promise.race([this.#changed.wait(either), tick]);
      enough.abort();
    }
  }

  /** Where the log is now, or was last; none when it was never heard of. */
  urls(): readonly string[] {
    const place = this.place();
    if (place.kind === 'follow') this.#lastUrls = place.urls;
    return this.#lastUrls;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    const channel = this.#channel;
    this.#channel = undefined;
    await channel?.close();
  }

  get #everyMs(): number {
    return this.#options.everyMs ?? 1000;
  }

  /** After the process stood still, what it has not heard says nothing: it listens anew, and forgets nobody for it. */
  #now(): number {
    const now = this.#options.clock.monotonicMs();
    const stoodMs = now - this.#awakeMs;
    this.#awakeMs = now;
    if (stoodMs > STANDSTILL * this.#everyMs) {
      this.#listeningSinceMs = now;
      for (const heard of this.#heard.values()) heard.untilMs += stoodMs;
    }
    return now;
  }

  async #announce(): Promise<void> {
    const { clock, random } = this.#options;
    while (!this.#closing.signal.aborted) {
      this.#now();
      this.#send();
      await clock.sleep(this.#everyMs * (0.75 + random() / 4), this.#closing.signal).catch(() => {});
    }
  }

  #send(): void {
    try {
      this.#channel?.send(this.#datagram());
    } catch (error) {
      this.#logger.warn('announcement-failed', { reason: messageOf(error) });
    }
  }

  #datagram(): Buffer {
    const { group, name, url, secrets } = this.#options;
    const announcement: Announcement = { group, name, instance: this.#instance, url, ...this.#said };
    return encodeAnnouncement(announcement, secrets?.accepted[0]);
  }

  #receive(datagram: Uint8Array, address: string): void {
    const { group, name, secrets } = this.#options;
    const heard = decodeAnnouncement(datagram, group, secrets?.accepted ?? []);
    if (heard === 'not-ours' || heard === 'other-group') return;
    if (typeof heard === 'string') {
      const reason =
        heard === 'unsigned'
          ? `it speaks for the group ${group} without a secret`
          : `it speaks for the group ${group} with another secret than ${secrets!.source}`;
      this.#ignored.say({ address, peer: undefined, reason });
      return;
    }
    if (heard.instance === this.#instance) return;
    if (heard.name === name)
      this.#ignored.say({ address, peer: name, reason: 'it has the name of this node; give each node its own --name' });
    const known = this.#heard.get(heard.instance);
    if (known === undefined && this.#heard.size >= NEIGHBOURS_MAX) return;
    const untilMs = this.#now() + MISSING_MAX * this.#everyMs;
    this.#heard.set(heard.instance, { neighbour: { ...heard, address }, untilMs });
    if (known === undefined)
      this.#logger.info('neighbour-heard', { peer: heard.name, url: heard.url, log: heard.log?.url });
    this.#warnOfOtherLog(heard, address);
    this.#changed.wake();
  }

  /** Two logs of one group: a network was split when they were begun, or a node was set up by itself. */
  #warnOfOtherLog({ name, log }: Announcement, address: string): void {
    const mine = this.#said.log?.id ?? this.#said.follows;
    if (mine !== undefined && log?.id !== undefined && log.id !== mine)
      this.#ignored.say({
        address,
        peer: name,
        reason: `it holds the log ${log.id} of this group, and this node belongs to ${mine}: two clusters share a group`,
      });
  }
}
