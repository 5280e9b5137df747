import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { silentLogger } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { until } from '../contract/testing.ts';
import { Copy } from './copy.ts';
import type { Outcome } from './decide.ts';
import { type Entry, pack } from './entries.ts';
import { Follower, type FollowerParts } from './follower.ts';
import type { Link, Message } from './link.ts';

const at = (position: number) => position as Position;
const marker = (epoch: number, head: number): Entry => ({ kind: 'marker', epoch, head: at(head), id: `m${epoch}` });
/** Of records with their positions for bodies. */
const batch = (epoch: number, first: number, id: string): [Entry, string] => [
  { kind: 'batch', epoch, first: at(first), verdicts: [{ id, bytes: `${first}`.length }] },
  `${first}`,
];

/** A connection that gives a node's queue. */
class StandIn {
  open = true;
  readonly acknowledged: string[] = [];
  #give!: (message: Message) => void;
  #lastId = 0;
  readonly #mourners: ((why: Error) => void)[] = [];

  async subscribe(_queue: string, _headers: unknown, each: (message: Message) => void): Promise<void> {
    this.#give = each;
  }

  give(...entries: readonly (Entry | readonly [Entry, string])[]): void {
    for (const each of entries) {
      const [entry, body] = 'kind' in each ? [each, ''] : each;
      this.#give({ headers: { ack: `${++this.#lastId}` }, body: pack(entry, Buffer.from(body)) });
    }
  }

  whenEnded(step: (why: Error) => void): void {
    this.#mourners.push(step);
  }

  terminate(why: Error): void {
    this.open = false;
    for (const step of this.#mourners) step(why);
  }

  async confirm(): Promise<void> {}
  async transaction(): Promise<void> {}
}

describe('what a node makes of its queue', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  const setUp = async (parts: Partial<FollowerParts> = {}) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'graticule-follower-'));
    const copy = await Copy.open(path.join(folder, 'copy'), 'g');
    const closing = new AbortController();
    const outcomes: [string, Outcome][] = [];
    const follower = new Follower(
      {
        copy,
        queue: '/queue/q',
        logger: silentLogger,
        graceMs: 20_000,
        others: () => [],
        onNote: async () => {},
        onSkip: async () => {},
        onStanding: () => {},
        onOutcome: (id, outcome) => {
          outcomes.push([id, outcome]);
          return true;
        },
        onCaughtUp: () => {},
        ...parts,
      },
      closing.signal,
    );
    closers.push(async () => {
      closing.abort();
      await follower.closed();
      await copy.log.close();
      rmSync(folder, { recursive: true });
    });
    const connect = async () => {
      const link = new StandIn();
      await follower.prepare(link as unknown as Link);
      return link;
    };
    return { follower, copy, outcomes, connect };
  };

  it('what was told is stored though something follows that contradicts it', async () => {
    const told: string[] = [];
    const onOutcome = (id: string) => {
      told.push(id);
      // Somebody else has proposed it.
      return false;
    };
    const { follower, copy, connect } = await setUp({ onOutcome });
    const link = await connect();
    link.give(marker(1, 0), batch(1, 1, 'a'));
    await until(() => copy.state.head === 1, 'the first record');
    link.give(batch(1, 2, 'b'), marker(2, 1));
    assert.ok(told.includes('b'));
    await until(() => !link.open, 'the end of the connection');
    assert.match(`${follower.trouble}`, /another history/);
    assert.deepEqual({ ...copy.state }, { epoch: 1, head: 2, since: 0 });
  });

  it('a record of a decider whose time is over is told to nobody', async () => {
    const { follower, copy, outcomes, connect } = await setUp();
    const link = await connect();
    link.give(marker(1, 0), batch(1, 1, 'a'), marker(2, 1), batch(2, 2, 'successor'));
    await until(() => copy.state.head === 2, 'the records');
    link.give(batch(1, 2, 'stale'));
    await until(() => !link.open, 'the end of the connection');
    assert.match(`${follower.trouble}`, /another history/);
    assert.ok(!outcomes.some(([id]) => id === 'stale'));
  });

  it('nor is it where nobody knows how the epoch before ended', async () => {
    const { copy, outcomes, connect } = await setUp();
    await copy.store([Buffer.from('1'), Buffer.from('2')]);
    await copy.enter(2);
    const link = await connect();
    link.give(batch(1, 2, 'stale'), batch(2, 3, 'next'));
    await until(() => copy.state.head === 3, 'the record');
    assert.deepEqual(
      outcomes.map(([id]) => id).filter((id) => id !== 'next'),
      [],
    );
  });

  it('what comes in order is stored at once, though something else waits for what is missing', async () => {
    let asked = 0;
    let answer: () => void = () => {};
    const other = {
      trimmed: async () => {
        if (asked++ === 0) await new Promise<void>((resolve) => (answer = resolve));
        throw new Error('not now');
      },
    } as unknown as ChangeLog;
    const { copy, connect } = await setUp({
      graceMs: 600,
      others: () => [{ name: 'other', log: other }],
      // Somebody else's: there is nobody to be told.
      onOutcome: () => false,
    });
    const link = await connect();
    link.give(marker(1, 0));
    await until(() => copy.state.epoch === 1, 'the epoch');
    link.give(batch(1, 5, 'ahead'));
    await until(() => asked > 0, 'the question');
    link.give(batch(1, 1, 'a'));
    const since = performance.now();
    answer();
    await until(() => copy.state.head === 1, 'the record');
    assert.ok(performance.now() - since < 400, 'it did not wait');
  });
});
