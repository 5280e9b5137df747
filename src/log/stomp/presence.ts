import { type Logger, messageOf, systemClock } from '../../base/index.ts';
import type { ChangeLog, NodeStatus } from '../change-log.ts';
import { PeerList } from '../peers.ts';
import type { KnownNode } from './entries.ts';
import type { Link } from './link.ts';

/** A sign of life, in JSON. */
type Sign =
  /** A node that has a copy; who `asks` wants to hear from the others at once. */
  | { readonly kind: 'here'; readonly node: KnownNode; readonly process: string; readonly asks: boolean }
  | { readonly kind: 'gone'; readonly name: string }
  | { readonly kind: 'status'; readonly status: NodeStatus };

export interface PresenceParts {
  readonly topic: string;
  readonly name: string;
  /** Where others get what this node has; absent: they cannot. */
  readonly url: string | undefined;
  readonly logger: Logger;
  readonly everyMs: number;
  /** After how long a node is forgotten that announced its status. */
  readonly peerTtlMs: number;
  /** Opens the copy that another node offers. */
  open(node: KnownNode): ChangeLog;
}

interface Other {
  readonly url: string;
  /** Open from when it is first needed. */
  log?: ChangeLog;
  heardMs: number;
}

export interface OtherCopy {
  readonly name: string;
  readonly log: ChangeLog;
}

/** A node that says nothing for so many beats is not counted on. */
const BEATS = 3;

/** Which nodes are there, as they tell each other through a topic; and their copies of the log. */
export class Presence {
  readonly #parts: PresenceParts;
  readonly #process = crypto.randomUUID();
  readonly #others = new Map<string, Other>();
  readonly peers: PeerList;
  #link: Link | undefined;
  #namesake: { readonly reason: string; readonly heardMs: number } | undefined;
  #beat: NodeJS.Timeout | undefined;
  #isGone = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.peers = new PeerList(systemClock, parts.peerTtlMs);
  }

  /** Another node with this one's name, if there is one. */
  get conflict(): Error | undefined {
    const { reason, heardMs } = this.#namesake ?? {};
    const isThere = heardMs !== undefined && performance.now() - heardMs < BEATS * this.#parts.everyMs;
    return isThere ? new Error(reason) : undefined;
  }

  async prepare(link: Link): Promise<void> {
    this.#link = link;
    await link.subscribe(this.#parts.topic, { ack: 'auto' }, ({ body }) => {
      try {
        this.#hear(JSON.parse(body.toString()) as Sign);
      } catch (error) {
        this.#parts.logger.warn('announcement-unreadable', { reason: messageOf(error) });
      }
    });
    this.#sayHere(true);
    clearInterval(this.#beat);
    this.#beat = setInterval(() => this.#sayHere(false), this.#parts.everyMs).unref();
    link.whenEnded(() => {
      if (this.#link !== link) return;
      this.#link = undefined;
      clearInterval(this.#beat);
    });
  }

  /** All that are there, this one included. */
  get nodes(): readonly KnownNode[] {
    const { name, url } = this.#parts;
    const others = this.#heard().map(([other, { url }]) => ({ name: other, url }));
    return url === undefined ? others : [{ name, url }, ...others];
  }

  /** The copies of the others that have been heard of lately, those last heard first; none once this node has left. */
  others(): readonly OtherCopy[] {
    if (this.#isGone) return [];
    return this.#heard().map(([name, other]) => {
      other.log ??= this.#parts.open({ name, url: other.url });
      return { name, log: other.log };
    });
  }

  /** A node that somebody else has heard of. */
  hearOf(node: KnownNode): void {
    if (node.name === this.#parts.name) return;
    const known = this.#others.get(node.name);
    if (known?.url === node.url) {
      known.heardMs = performance.now();
      return;
    }
    void known?.log?.close();
    this.#others.set(node.name, { url: node.url, heardMs: performance.now() });
  }

  async announce(link: Link, status: NodeStatus): Promise<void> {
    await link.confirm(this.#sending({ kind: 'status', status }));
  }

  /** Says that this node goes; resolves when the broker has taken that, or is not there. */
  async leave(): Promise<void> {
    this.#isGone = true;
    clearInterval(this.#beat);
    if (this.#link?.open)
      await this.#link.confirm(this.#sending({ kind: 'gone', name: this.#parts.name })).catch(() => {});
  }

  /** Closes what was opened of others, once this node has left. */
  async close(): Promise<void> {
    this.peers.close();
    await Promise.all([...this.#others.values()].map(({ log }) => log?.close()));
    this.#others.clear();
  }

  #heard(): readonly (readonly [string, Other])[] {
    const since = performance.now() - BEATS * this.#parts.everyMs;
    return [...this.#others]
      .filter(([, { heardMs }]) => heardMs >= since)
      .sort(([, a], [, b]) => b.heardMs - a.heardMs);
  }

  #hear(sign: Sign): void {
    const { name, logger } = this.#parts;
    if (sign.kind === 'status') this.peers.announce(sign.status);
    else if (sign.kind === 'gone') {
      void this.#others.get(sign.name)?.log?.close();
      this.#others.delete(sign.name);
    } else if (sign.node.name === name) {
      if (sign.process === this.#process) return;
      const reason = `the node at ${sign.node.url} has the name ${name} too, and only one of them gets what the log carries: give each a name of its own (instanceName, --name)`;
      if (this.conflict === undefined) logger.error('node-name-taken', { name, reason });
      this.#namesake = { reason, heardMs: performance.now() };
    } else {
      this.hearOf(sign.node);
      if (sign.asks) this.#sayHere(false);
    }
  }

  #sayHere(asks: boolean): void {
    const { name, url } = this.#parts;
    if (url === undefined || this.#isGone || !this.#link?.open) return;
    this.#link.send(this.#sending({ kind: 'here', node: { name, url }, process: this.#process, asks }));
  }

  #sending(sign: Sign): readonly ['SEND', Readonly<Record<string, string>>, Uint8Array] {
    return ['SEND', { destination: this.#parts.topic, persistent: 'false' }, Buffer.from(JSON.stringify(sign))];
  }
}
