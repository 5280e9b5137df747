import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change, Position } from '../tree/index.ts';
import { RecentChanges } from './recent.ts';

const change = (id: string): Change => ({ id, at: '', by: 'admin', node: 'a', why: `PUT ${id}`, operations: [] });
const at = (n: number) => n as Position;

test('a change is found by its id, with its place and purpose', () => {
  const recent = new RecentChanges(at(0));
  recent.add(at(3), [change('x'), change('y')]);
  assert.deepEqual(recent.find('y'), { position: 3, by: 'admin', why: 'PUT y', node: 'a' });
  assert.equal(recent.find('z'), undefined);
});

test('the oldest changes are forgotten first, and it is known which', () => {
  const recent = new RecentChanges(at(0), 2);
  recent.add(at(1), [change('a')]);
  assert.equal(recent.knownAfter, 0);
  recent.add(at(2), [change('b'), change('c')]);
  assert.deepEqual([recent.find('a'), recent.find('b')?.position, recent.find('c')?.position], [undefined, 2, 2]);
  assert.equal(recent.knownAfter, 1);
});

test('what is read back later goes before what came meanwhile, within the bound', () => {
  const recent = new RecentChanges(at(9), 3);
  recent.add(at(10), [change('new')]);
  const older = new RecentChanges(at(6), 3);
  older.add(at(7), [change('p')]);
  older.add(at(8), [change('q')]);
  older.add(at(9), [change('r')]);
  recent.merge(older);
  assert.deepEqual(
    ['p', 'q', 'r', 'new'].map((id) => recent.find(id)?.position),
    [undefined, 8, 9, 10],
  );
  assert.equal(recent.knownAfter, 7);
  recent.add(at(11), [change('newer')]);
  assert.equal(recent.find('q'), undefined);
  assert.deepEqual([recent.size, recent.knownAfter], [3, 8]);
});

test('after records were passed over, what lies between is unknown until it is read back', () => {
  const recent = new RecentChanges(at(0));
  recent.add(at(1), [change('a')]);
  recent.skipTo(at(5));
  recent.add(at(6), [change('f')]);
  assert.equal(recent.knownAfter, 5);
  const between = new RecentChanges(at(2));
  between.add(at(3), [change('c')]);
  recent.merge(between);
  assert.equal(recent.knownAfter, 2);
  assert.deepEqual(
    ['a', 'c', 'f'].map((id) => recent.find(id)?.position),
    [1, 3, 6],
  );
});
