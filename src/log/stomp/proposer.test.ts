import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnavailableError, UncertainError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { type Proposal, unpack } from './entries.ts';
import type { Link, Sending } from './link.ts';
import { Proposer } from './proposer.ts';

type Append = Extract<Proposal, { readonly kind: 'append' }>;

const at = (position: number) => position as Position;
const full = new UnavailableError('log-full', 'the store is full');

/** A connection whose broker takes what it is sent, unless it is told not to. */
class StandIn {
  open = true;
  refuses = false;
  readonly sent: Append[] = [];
  readonly #mourners: (() => void)[] = [];

  async confirm([, , body]: Sending): Promise<void> {
    const proposal = unpack<Append>(Buffer.from(body!)).what;
    if (this.refuses) throw full;
    this.sent.push(proposal);
  }

  whenEnded(step: () => void): void {
    this.#mourners.push(step);
  }

  end(): void {
    this.open = false;
    for (const step of this.#mourners) step();
  }
}

function setUp() {
  const closing = new AbortController();
  const taken: Append[] = [];
  const role = { isOurs: false };
  const take = (proposal: Append) => {
    if (role.isOurs) taken.push(proposal);
    return role.isOurs;
  };
  const proposer = new Proposer('/queue/proposals', take, closing.signal);
  const connect = (refuses = false) => {
    const link = new StandIn();
    link.refuses = refuses;
    proposer.prepare(link as unknown as Link);
    return link;
  };
  /** @returns what becomes of the records that are to follow these positions */
  const append = (...places: number[]) => {
    const results: unknown[] = [];
    for (const [n, place] of places.entries())
      proposer.append(at(place), Buffer.from('body'), 400).then(
        (outcome) => {
          results[n] = outcome;
        },
        (error) => {
          results[n] = error;
        },
      );
    return results;
  };
  const setRole = (isOurs: boolean) => {
    role.isOurs = isOurs;
    proposer.handOver();
  };
  return { proposer, connect, append, taken, setRole };
}

const appended = (position: number) => ({ kind: 'appended', position: at(position) }) as const;
const moved = (head: number) => ({ kind: 'head-moved', head: at(head) }) as const;
const settled = () => new Promise(setImmediate);
const places = (some: readonly Append[]) => some.map(({ after }) => after);

test('what the broker refuses at once was not done', async () => {
  const { connect, append } = setUp();
  connect(true);
  const results = append(0);
  await settled();
  assert.equal(results[0], full);
});

test('what the broker refuses the second time may be in the log', async () => {
  for (const decidedHere of [true, false]) {
    const { connect, proposer, append, setRole, taken } = setUp();
    const first = connect();
    if (decidedHere) setRole(true);
    const results = append(0, 1);
    const [told, lost] = decidedHere ? taken : first.sent;
    first.end();
    if (decidedHere) setRole(false);
    connect(true);
    await settled();
    assert.equal(results.length, 0);
    // The connection was lost after the broker had it.
    assert.ok(proposer.decided(told!.id, appended(1)));
    await settled();
    assert.deepEqual(results, [appended(1)]);
    const deadline = performance.now() + 5000;
    while (results[1] === undefined && performance.now() < deadline) await settled();
    assert.ok(results[1] instanceof UncertainError);
    // It is still asked for.
    const third = connect();
    assert.deepEqual(third.sent, [lost]);
  }
});

test('what is decided before what it follows is proposed anew behind that', async () => {
  const { connect, proposer, append } = setUp();
  const link = connect();
  const results = append(0, 1, 2, 3);
  const [p1, p2, p3, p4] = link.sent.splice(0);
  // The broker has given out the last two first.
  proposer.decided(p4!.id, moved(0));
  proposer.decided(p3!.id, moved(0));
  proposer.decided(p1!.id, appended(1));
  await settled();
  assert.deepEqual(results, [appended(1)]);
  assert.deepEqual(link.sent, []);
  proposer.decided(p2!.id, appended(2));
  assert.deepEqual(places(link.sent), [2, 3]);
  assert.equal(new Set([p3, p4, ...link.sent].map((each) => each!.id)).size, 4);
  for (const { id, after } of link.sent) proposer.decided(id, appended(after + 1));
  await settled();
  assert.deepEqual(results, [1, 2, 3, 4].map(appended));
});

test('what has nothing of this node before it is told that the head has moved', async () => {
  const { connect, proposer, append } = setUp();
  const link = connect();
  const results = append(3, 4, 5);
  const [p4, p5, p6] = link.sent;
  // Somebody else's record: the head is not below any of these places.
  proposer.decided(p4!.id, moved(4));
  proposer.decided(p5!.id, moved(7));
  proposer.decided(p6!.id, moved(2));
  await settled();
  assert.deepEqual(results, [moved(4), moved(7), moved(2)]);
  assert.equal(link.sent.length, 3);
});

test('what came too early and is not proposed anew in time has its verdict', async () => {
  const { connect, proposer, append } = setUp();
  const link = connect();
  const results = append(0, 1);
  proposer.decided(link.sent[1]!.id, moved(0));
  const deadline = performance.now() + 5000;
  while (results[1] === undefined && performance.now() < deadline) await settled();
  assert.ok(results[0] instanceof UncertainError);
  assert.deepEqual(results[1], moved(0));
  proposer.decided(link.sent[0]!.id, appended(1));
  assert.equal(link.sent.length, 2);
});

test('a role that comes and goes leaves one copy of each proposal with the broker', async () => {
  const { connect, append, setRole, taken } = setUp();
  const link = connect();
  append(0, 1);
  for (let n = 0; n < 3; n++) {
    setRole(true);
    if (n === 0) append(2);
    assert.deepEqual(places(taken.splice(0)), [0, 1, 2]);
    setRole(false);
  }
  assert.deepEqual(places(link.sent), [0, 1, 2]);
  // Another connection may be to another broker.
  link.end();
  assert.deepEqual(places(connect().sent), [0, 1, 2]);
});
