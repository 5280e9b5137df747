import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Position, START } from '../../tree/index.ts';
import { decide, type Outcome, outcomesOf, RECENT_MAX, remember, type Standpoint, sortAppends } from './decide.ts';

const at = (position: number) => position as Position;
const propose = (id: string, after: number, bytes = 1) => ({ kind: 'append', id, after: at(after), bytes }) as const;
const empty: Standpoint = { head: START, recent: new Map() };
/** How things stand after a decision. */
const after = (from: Standpoint, { head, decided }: ReturnType<typeof decide>): Standpoint => {
  const recent = new Map(from.recent);
  remember(recent, decided);
  return { head, recent };
};

test('who follows the last record gets the place', () => {
  const { verdicts, head } = decide({ ...empty, head: at(4) }, [
    propose('a', 4),
    propose('b', 4),
    propose('c', 5, 7),
    propose('d', 9),
  ]);
  assert.deepEqual(verdicts, [
    { id: 'a', bytes: 1 },
    { id: 'b', head: 5 },
    { id: 'c', bytes: 7 },
    { id: 'd', head: 6 },
  ]);
  assert.equal(head, 6);
  assert.deepEqual(
    [...outcomesOf(at(5), verdicts)],
    [
      ['a', { kind: 'appended', position: 5 }],
      ['b', { kind: 'head-moved', head: 5 }],
      ['c', { kind: 'appended', position: 6 }],
      ['d', { kind: 'head-moved', head: 6 }],
    ],
  );
});

test('a proposal that comes again gets the same verdict, also when it would fit now', () => {
  const first = decide(empty, [propose('a', 0), propose('early', 2), propose('b', 1)]);
  const again = decide(after(empty, first), [propose('early', 2), propose('a', 0)]);
  assert.equal(again.head, 2);
  assert.deepEqual(
    [...outcomesOf(at(3), again.verdicts)],
    [
      ['early', { kind: 'head-moved', head: 1 }],
      ['a', { kind: 'appended', position: 1 }],
    ],
  );
});

test('any proposals, in any groups, with any repeats: one verdict each, and places without gaps', () => {
  const proposals = fc.array(fc.record({ id: fc.nat({ max: 30 }), after: fc.nat({ max: 12 }) }), { maxLength: 80 });
  fc.assert(
    fc.property(proposals, fc.array(fc.integer({ min: 1, max: 6 })), (all, sizes) => {
      const outcomes = new Map<string, Outcome>();
      const places: Position[] = [];
      let standpoint = empty;
      for (let from = 0, n = 0; from < all.length; n++) {
        const group = all.slice(from, from + (sizes[n % sizes.length] ?? 1));
        from += group.length;
        const made = decide(
          standpoint,
          group.map(({ id, after }) => propose(`${id}`, after)),
        );
        const { verdicts } = made;
        assert.equal(verdicts.length, group.length);
        for (const [id, outcome] of outcomesOf(at(standpoint.head + 1), verdicts)) {
          const known = outcomes.get(id);
          if (known !== undefined) assert.deepEqual(outcome, known);
          else if (outcome.kind === 'appended') places.push(outcome.position);
          outcomes.set(id, outcome);
        }
        standpoint = after(standpoint, made);
      }
      assert.deepEqual(
        places,
        Array.from({ length: standpoint.head }, (_, n) => n + 1),
      );
    }),
    { numRuns: 300 },
  );
});

test('what is remembered is bounded, the oldest goes first', () => {
  let standpoint = empty;
  for (let n = 0; n < RECENT_MAX + 10; n += 10)
    standpoint = after(
      standpoint,
      decide(
        standpoint,
        Array.from({ length: 10 }, (_, i) => propose(`${n + i}`, n + i)),
      ),
    );
  assert.equal(standpoint.recent.size, RECENT_MAX);
  assert.equal(standpoint.recent.has('9'), false);
  assert.equal(standpoint.recent.has('10'), true);
});

test('appends are put into the order of their places, and what asks stays where it is', () => {
  const check = { kind: 'check', id: 'c' } as const;
  const queue = [propose('a', 5), check, propose('b', 2), propose('c', 5), propose('d', 1)].map((proposal) => ({
    proposal,
  }));
  sortAppends(queue);
  assert.deepEqual(
    queue.map(({ proposal }) => proposal),
    [propose('d', 1), check, propose('b', 2), propose('a', 5), propose('c', 5)],
  );
});
