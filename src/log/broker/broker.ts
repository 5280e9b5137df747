import type { Server } from 'node:http';
import {
  type Clock,
  type Logger,
  messageOf,
  silentLogger,
  systemClock,
  UnavailableError,
  UserError,
} from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { LogRecord } from '../change-log.ts';
import { Wakeup } from '../wakeup.ts';
import { type ClusterSecrets, type LogServer, RefusalError, serveLog } from '../websocket/index.ts';
import { ServedGroup } from './group.ts';
import { RoomWatch } from './room.ts';
import type { BrokerStore, BrokerWord, HeardBroker, Term } from './store.ts';
import type { Broker, BrokerPresence, BrokerState, BrokerStatus, GroupStatus } from './types.ts';

export interface BrokerOptions {
  /** Closed with the broker. */
  readonly store: BrokerStore;
  /** Unique on the store, and the same at each start. */
  readonly name: string;
  /** Base URL of its console. */
  readonly url: string;
  /** Where nodes reach its logs: `ws://host:port`. */
  readonly logUrl: string;
  readonly version: string;
  /** Where nodes come in, at the usual path. */
  readonly server: Server;
  readonly secret: string | ClusterSecrets;
  readonly requireClientCertificate?: boolean;
  /** Most groups; nodes of more are refused. Default: 100. */
  readonly groupsMax?: number;
  /** How often it says that it is there, in milliseconds. Default: 500. */
  readonly beatMs?: number;
  /** How often it looks how much room the store has, in milliseconds. Default: 30,000. */
  readonly roomMs?: number;
  /** Milliseconds between signs of life on nodes' connections. Default: 5000. */
  readonly heartbeatMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

const GROUPS_MAX = 100;
const ROOM_MS = 30_000;
const RECORD_BYTES_MAX = 32 * 1024 * 1024;
/** A hand-over is over by then, one way or the other. */
const HAND_OVER_MS = 15_000;
/** Appends under way have their outcome by then, or never. */
const OUTCOMES_MS = 10_000;

/** A broker in this process. */
export interface RunningBroker extends Broker {
  /** Where the logs may be, as far as is known now: the active broker first. */
  readonly logUrls: readonly string[];
}

/** Starts a broker on a store. It becomes active when it is its turn. */
export function openBroker(options: BrokerOptions): RunningBroker {
  return new LogBroker(options);
}

class LogBroker implements RunningBroker {
  readonly #options: BrokerOptions;
  readonly #store: BrokerStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #server: LogServer;
  readonly #startedAt: string;
  readonly #closing = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #room: RoomWatch;
  /** Something about the brokers has changed. */
  readonly #changed = new Wakeup();
  #state: BrokerState = 'starting';
  #since: string;
  #reason: string | undefined;
  #active: Active | undefined;
  #lastTerm = 0;
  #heard: readonly HeardBroker[] = [];
  #meetFailure: Error | undefined;
  #wish: string | undefined;

  constructor(options: BrokerOptions) {
    const { store, server, secret, clock = systemClock, logger = silentLogger } = options;
    this.#options = options;
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.#startedAt = this.#now();
    this.#since = this.#startedAt;
    this.#server = serveLog({
      server,
      secret,
      requireClientCertificate: options.requireClientCertificate,
      heartbeatMs: options.heartbeatMs,
      logger,
      log: { recordBytesMax: RECORD_BYTES_MAX, open: (group) => this.#openForNode(group) },
    });
    this.#room = new RoomWatch({
      bytes: async () => this.#active?.term.bytes(),
      disk: () => store.disk(),
      everyMs: options.roomMs ?? ROOM_MS,
      clock,
      logger,
    });
    this.#running = Promise.all([this.#keepMeeting(), this.#takeTurns(), this.#room.run(this.#closing.signal)]);
  }

  get logUrls(): readonly string[] {
    const { name } = this.#options;
    const known = [this.#word(), ...this.#heard.filter((each) => each.name !== name)];
    return known
      .sort((a, b) => Number(b.state === 'active') - Number(a.state === 'active'))
      .map(({ logUrl }) => logUrl);
  }

  async status(): Promise<BrokerStatus> {
    const { name, url, logUrl, version } = this.#options;
    const own: BrokerPresence = { ...this.#word(), heardAt: this.#now() };
    const others = this.#heard.filter((each) => each.name !== name);
    const brokers = [own, ...others]
      .map(({ name, url, logUrl, version, state, since, heardAt }) => {
        return { name, url, logUrl, version, state, since, heardAt };
      })
      .sort((a, b) => Number(b.state === 'active') - Number(a.state === 'active') || (a.name < b.name ? -1 : 1));
    return {
      name,
      url,
      logUrl,
      version,
      state: this.#state,
      since: this.#since,
      store: this.#store.info,
      term: this.#lastTerm,
      reason: this.#meetFailure?.message ?? this.#reason,
      startedAt: this.#startedAt,
      room: this.#room.room,
      brokers,
    };
  }

  async groups(): Promise<readonly GroupStatus[]> {
    const active = this.#needActive();
    const names = await active.term.groups();
    const groups = await Promise.all(names.map((name) => active.open(name)));
    return Promise.all(groups.map((group) => group.status(this.#server.connections)));
  }

  async group(name: string): Promise<GroupStatus> {
    return (await this.#group(name)).status(this.#server.connections);
  }

  async records(group: string, after: number, limit: number): Promise<readonly LogRecord[]> {
    return (await this.#group(group)).records(after as Position, limit);
  }

  async pause(name: string, by: string, reason?: string): Promise<void> {
    const group = await this.#group(name);
    const pause = await group.pause({ since: this.#now(), by, ...(reason === undefined ? {} : { reason }) });
    this.#logger.info('group-paused', { group: name, ...pause });
  }

  async resume(name: string): Promise<void> {
    await (await this.#group(name)).resume();
    this.#logger.info('group-resumed', { group: name });
  }

  async trim(group: string, upTo?: number): Promise<number> {
    return (await this.#group(group)).trimNow(upTo);
  }

  async disconnect(group: string, node: string): Promise<number> {
    await this.#group(group);
    return this.#server.cut({ group, name: node });
  }

  async takeOver(to?: string): Promise<void> {
    const { name } = this.#options;
    const target = to ?? (this.#active === undefined ? name : this.#firstWaiting());
    if (target === undefined) throw new UserError(409, 'nobody-waits', 'no other broker waits on this store');
    if (this.#active !== undefined && target === name)
      throw new UserError(409, 'already-active', `the broker ${name} is active already`);
    const waits = (each: BrokerWord) => each.name === target && each.state === 'waiting';
    if (!this.#heard.some(waits))
      throw new UserError(409, 'broker-not-waiting', `no broker ${target} waits on this store now`);
    if (this.#active !== undefined) {
      this.#logger.info('handing-over', { to: target });
      this.#active.leave.resolve({ to: target });
      return;
    }
    this.#wish = target;
    this.#changed.wake();
    const deadline = AbortSignal.any([AbortSignal.timeout(HAND_OVER_MS), this.#closing.signal]);
    try {
      while (!this.#isActive(target)) {
        if (deadline.aborted)
          throw new UnavailableError('hand-over-failed', `${target} has not become active within ${HAND_OVER_MS} ms`);
        await this.#changed.wait(deadline);
      }
    } finally {
      this.#wish = undefined;
    }
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(new Error('the broker is closing'));
      this.#become('stopping');
      this.#active?.leave.resolve({});
      this.#changed.wake();
    }
    await this.#running;
    await this.#server.close();
    await this.#store.leave(this.#options.name).catch(() => {});
    await this.#store.close();
  }

  // ---- turns

  /** Waits, is active, waits, until the broker is closed. */
  async #takeTurns(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#become('waiting');
      let term: Term;
      try {
        term = await this.#store.lead(this.#options.name, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      await this.#serve(term);
    }
  }

  async #serve(term: Term): Promise<void> {
    const active = new Active(term, this.#options.groupsMax ?? GROUPS_MAX, this.#clock);
    this.#active = active;
    this.#lastTerm = term.number;
    this.#reason = undefined;
    if (this.#closing.signal.aborted) active.leave.resolve({});
    else {
      this.#become('active');
      this.#logger.info('broker-active', { term: term.number });
      this.#room.lookSoon();
    }
    const lost = Promise.withResolvers<undefined>();
    const onLost = () => lost.resolve(undefined);
    term.lost.addEventListener('abort', onLost);
    if (term.lost.aborted) onLost();
    const left = await Promise.race([active.leave.promise, lost.promise]);
    if (left === undefined) {
      this.#reason = messageOf(term.lost.reason);
      this.#logger.error('broker-lost', { term: term.number, reason: this.#reason });
    } else {
      this.#reason = left.to === undefined ? undefined : `it has handed over to ${left.to}`;
      const outcomes = active.stopAppends('the log moves to another broker; try again');
      await Promise.race([
        outcomes,
        lost.promise,
        this.#clock.sleep(OUTCOMES_MS, this.#closing.signal).catch(() => {}),
      ]);
    }
    this.#active = undefined;
    if (!this.#closing.signal.aborted) this.#become('waiting');
    this.#server.cut();
    try {
      await term.end(left?.to);
    } catch (error) {
      this.#logger.error('term-not-ended', { error });
    }
    this.#logger.info('broker-waiting', { term: term.number });
  }

  /** Says how it is, and hears how the others are. */
  async #keepMeeting(): Promise<void> {
    const { signal } = this.#closing;
    const { beatMs = 500 } = this.#options;
    while (!signal.aborted) {
      try {
        this.#heard = await this.#store.meet(this.#word());
        this.#meetFailure = undefined;
        const wish = this.#heard.find(({ state, handOverTo }) => state === 'waiting' && handOverTo !== undefined);
        if (wish !== undefined && wish.handOverTo !== this.#options.name)
          this.#active?.leave.resolve({ to: wish.handOverTo });
      } catch (error) {
        if (this.#meetFailure?.message !== messageOf(error))
          this.#logger.warn('store-unusable', { error: messageOf(error) });
        this.#meetFailure = error as Error;
      }
      this.#changed.wake();
      const enough = new AbortController();
      const either = AbortSignal.any([signal, enough.signal]);
      await Promise.race([this.#changed.wait(either), this.#clock.sleep(beatMs, either).catch(() => {})]);
      enough.abort();
    }
  }

  #become(state: BrokerState): void {
    if (this.#closing.signal.aborted && state !== 'stopping') return;
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.#now();
    this.#changed.wake();
  }

  #word(): BrokerWord {
    const { name, url, logUrl, version } = this.#options;
    const wish = this.#wish === undefined ? {} : { handOverTo: this.#wish };
    return { name, url, logUrl, version, state: this.#state, since: this.#since, ...wish };
  }

  #firstWaiting(): string | undefined {
    const waiting = this.#heard.filter(({ name, state }) => state === 'waiting' && name !== this.#options.name);
    return waiting.sort((a, b) => (a.since < b.since ? -1 : 1))[0]?.name;
  }

  #isActive(name: string): boolean {
    return name === this.#options.name
      ? this.#active !== undefined
      : this.#heard.some((each) => each.name === name && each.state === 'active');
  }

  // ---- groups

  async #openForNode(group: string): Promise<ServedGroup> {
    const active = this.#active;
    if (active === undefined) throw new RefusalError('waiting', this.#whyNotActive(), { expected: true });
    try {
      return await active.open(group);
    } catch (error) {
      // It may be better soon, here or elsewhere.
      throw error instanceof UnavailableError ? new RefusalError('waiting', messageOf(error)) : error;
    }
  }

  /** @throws UserError 404 */
  async #group(name: string): Promise<ServedGroup> {
    const active = this.#needActive();
    if (!active.has(name) && !(await active.term.groups()).includes(name))
      throw new UserError(404, 'no-such-group', `this broker has no group ${JSON.stringify(name)}`);
    return active.open(name);
  }

  #needActive(): Active {
    if (this.#active === undefined) throw new UnavailableError('broker-not-active', this.#whyNotActive());
    return this.#active;
  }

  #whyNotActive(): string {
    const { name } = this.#options;
    const active = this.#heard.find((each) => each.state === 'active' && each.name !== name);
    if (this.#state === 'stopping') return `the broker ${name} is stopping`;
    if (active === undefined) return `the broker ${name} waits for its turn, and none is active at the moment`;
    return `the broker ${name} waits: ${active.name} at ${active.logUrl} is active`;
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

/** What a broker has while it is active. */
class Active {
  readonly term: Term;
  /** Resolved when it shall step down. */
  readonly leave = Promise.withResolvers<{ readonly to?: string }>();
  readonly #groupsMax: number;
  readonly #clock: Clock;
  readonly #groups = new Map<string, Promise<ServedGroup>>();
  #stopped: string | undefined;

  constructor(term: Term, groupsMax: number, clock: Clock) {
    this.term = term;
    this.#groupsMax = groupsMax;
    this.#clock = clock;
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }

  open(group: string): Promise<ServedGroup> {
    let opened = this.#groups.get(group);
    if (opened === undefined) {
      opened = this.#open(group);
      this.#groups.set(group, opened);
      opened.catch(() => this.#groups.delete(group));
    }
    return opened;
  }

  /** Resolves when the appends under way have their outcome. */
  async stopAppends(why: string): Promise<void> {
    this.#stopped = why;
    const groups = await Promise.allSettled(this.#groups.values());
    await Promise.all(groups.map((each) => each.status === 'fulfilled' && each.value.stopAppends(why)));
  }

  async #open(group: string): Promise<ServedGroup> {
    const known = await this.term.groups();
    if (!known.includes(group) && Math.max(known.length, this.#groups.size - 1) >= this.#groupsMax)
      throw new RefusalError(
        'group',
        `there is no group ${group} yet, and this broker takes no more than ${this.#groupsMax} (--groups-max)`,
      );
    const served = new ServedGroup(group, await this.term.open(group), this.#clock);
    if (this.#stopped !== undefined) await served.stopAppends(this.#stopped);
    return served;
  }
}
