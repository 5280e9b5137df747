import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Position, START } from '../../tree/index.ts';
import { after, before, type ChainEntry, type ChainState, isBefore, placeOf, recordsOf } from './chain.ts';

const at = (position: number) => position as Position;
const batch = (epoch: number, first: number, ...ids: string[]): ChainEntry => ({
  kind: 'batch',
  epoch,
  first: at(first),
  verdicts: ids.map((id) => (id.startsWith('-') ? { id, head: at(first - 1) } : { id, bytes: id.length })),
});
const marker = (epoch: number, head: number): ChainEntry => ({ kind: 'marker', epoch, head: at(head), id: '' });
const skip = (epoch: number, head: number, to: number): ChainEntry => ({
  kind: 'skip',
  epoch,
  head: at(head),
  to: at(to),
  id: '',
});
const standing = (epoch: number, head: number): ChainEntry => ({
  kind: 'standing',
  epoch,
  head: at(head),
  id: '',
  nodes: [],
});

test('what an entry means to who stands somewhere', () => {
  const state: ChainState = { epoch: 3, head: at(10) };
  const table: [entry: ChainEntry, place: string][] = [
    [batch(3, 11, 'a'), 'next'],
    [batch(3, 12, 'a'), 'ahead'],
    [batch(3, 10, 'a'), 'past'],
    // Known up to its middle.
    [batch(3, 10, 'a', 'b', 'c'), 'next'],
    [batch(3, 11, '-refused'), 'past'],
    [batch(4, 11, 'a'), 'ahead'],
    [batch(4, 9, 'a', 'b', 'c', 'd'), 'contrary'],
    [batch(2, 9, 'a'), 'past'],
    // Whoever took over would have known it.
    [batch(2, 11, 'a'), 'contrary'],
    [marker(4, 10), 'next'],
    [marker(4, 11), 'ahead'],
    [marker(5, 10), 'ahead'],
    [marker(4, 9), 'contrary'],
    [marker(3, 8), 'past'],
    [skip(3, 10, 20), 'next'],
    [skip(3, 11, 20), 'ahead'],
    [skip(3, 2, 10), 'past'],
    [skip(3, 9, 20), 'contrary'],
    [standing(3, 10), 'past'],
    [standing(3, 9), 'past'],
    [standing(3, 11), 'ahead'],
    [standing(4, 10), 'ahead'],
    [standing(4, 9), 'contrary'],
    [standing(2, 10), 'past'],
  ];
  for (const [entry, place] of table) assert.equal(placeOf(state, entry), place, JSON.stringify(entry));
});

test('what an earlier epoch cannot have decided is told from what it has', () => {
  const state: ChainState = { epoch: 3, head: at(15), since: at(10) };
  const table: [entry: ChainEntry, place: string][] = [
    [batch(2, 10, 'a'), 'past'],
    [batch(2, 11, 'a'), 'contrary'],
    [batch(1, 11, 'a'), 'contrary'],
    [batch(2, 11, '-refused'), 'past'],
    [skip(2, 10, 12), 'contrary'],
    [marker(3, 10), 'past'],
    [marker(3, 11), 'contrary'],
    [batch(3, 11, 'a'), 'past'],
  ];
  for (const [entry, place] of table) assert.equal(placeOf(state, entry), place, JSON.stringify(entry));
});

test('a batch has the bodies of what was accepted, one after the other', () => {
  const entry = batch(1, 5, 'ab', '-no', '', 'c');
  assert.equal(entry.kind, 'batch');
  const records = [...recordsOf(entry as Extract<ChainEntry, { kind: 'batch' }>, Buffer.from('xyz'))];
  assert.deepEqual(
    records.map(({ position, body }) => [position, Buffer.from(body).toString()]),
    [
      [5, 'xy'],
      [6, ''],
      [7, 'z'],
    ],
  );
});

/** A history: entries as they follow each other, from the beginning. */
const histories = fc
  .array(fc.oneof(fc.constant('marker'), fc.constant('standing'), fc.integer({ min: 0, max: 4 })), { maxLength: 40 })
  .map((steps) => {
    const entries: ChainEntry[] = [];
    let [epoch, head] = [0, 0];
    for (const step of ['marker', ...steps])
      if (step === 'marker') entries.push(marker(++epoch, head));
      else if (step === 'standing') entries.push(standing(epoch, head));
      else {
        const count = Number(step);
        entries.push(batch(epoch, head + 1, ...Array.from({ length: count }, (_, n) => `r${head + n + 1}`), '-lost'));
        head += count;
      }
    return { entries, end: { epoch, head: at(head) } };
  });

/** Applies what can be until nothing can be. @returns where one stands, and what is left */
function follow(
  arrived: readonly ChainEntry[],
  from: ChainState,
): { state: ChainState; ids: string[]; left: ChainEntry[] } {
  let state = from;
  let left = [...arrived];
  const ids: string[] = [];
  for (let moved = true; moved; ) {
    moved = false;
    const kept: ChainEntry[] = [];
    for (const entry of left) {
      const place = placeOf(state, entry);
      assert.notEqual(place, 'contrary');
      if (place === 'ahead') {
        kept.push(entry);
        continue;
      }
      moved = true;
      if (place === 'past') continue;
      if (entry.kind === 'batch')
        for (const { id, position } of recordsOf(entry, Buffer.alloc(1000))) if (position > state.head) ids.push(id);
      state = after(entry);
    }
    left = kept;
  }
  return { state, ids, left };
}

test('however often and in whatever order a history comes, it is the same', () => {
  fc.assert(
    fc.property(histories, fc.infiniteStream(fc.nat()), ({ entries, end }, random) => {
      const arrived = [...entries, ...entries.filter(() => random.next().value % 3 === 0)];
      for (let i = arrived.length - 1; i > 0; i--) {
        const j = random.next().value % (i + 1);
        [arrived[i], arrived[j]] = [arrived[j]!, arrived[i]!];
      }
      const { state, ids, left } = follow(arrived, { epoch: 0, head: START });
      assert.deepEqual(state, end);
      assert.deepEqual(left, []);
      assert.deepEqual(
        ids,
        Array.from({ length: end.head }, (_, n) => `r${n + 1}`),
      );
    }),
    { numRuns: 300 },
  );
});

test('what is missing is noticed, and what the first after it says is enough to go on', () => {
  fc.assert(
    fc.property(histories, fc.nat(), fc.nat(), ({ entries, end }, where, count) => {
      const from = where % entries.length;
      const arrived = [...entries.slice(0, from), ...entries.slice(from + 1 + (count % 5))];
      const { state, left } = follow(arrived, { epoch: 0, head: START });
      if (left.length === 0) {
        // Only what stood at the end, or says nothing new, can be missed unnoticed.
        assert.ok(!isBefore(end, state));
        return;
      }
      const [first] = left.map(before).sort((a, b) => (isBefore(a, b) ? -1 : 1));
      assert.ok(isBefore(state, first!));
      assert.deepEqual(follow(left, first!).state, end);
    }),
    { numRuns: 300 },
  );
});
