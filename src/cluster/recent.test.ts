import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change, Position } from '../tree/index.ts';
import { RecentChanges } from './recent.ts';

const change = (id: string): Change => ({ id, at: '', by: 'admin', node: 'a', why: `PUT ${id}`, operations: [] });
const at = (n: number) => n as Position;

test('a change is found by its id, with its place and purpose', () => {
  const recent = new RecentChanges();
  recent.add(at(3), [change('x'), change('y')]);
  assert.deepEqual(recent.find('y'), { position: 3, by: 'admin', why: 'PUT y' });
  assert.equal(recent.find('z'), undefined);
});

test('the oldest changes are forgotten first', () => {
  const recent = new RecentChanges(2);
  recent.add(at(1), [change('a')]);
  recent.add(at(2), [change('b'), change('c')]);
  assert.deepEqual([recent.find('a'), recent.find('b')?.position, recent.find('c')?.position], [undefined, 2, 2]);
});

test('what is read back later goes before what came meanwhile, within the bound', () => {
  const recent = new RecentChanges(3);
  recent.add(at(10), [change('new')]);
  const older = new RecentChanges(3);
  older.add(at(7), [change('p')]);
  older.add(at(8), [change('q')]);
  older.add(at(9), [change('r')]);
  recent.addOlder(older);
  assert.deepEqual(
    ['p', 'q', 'r', 'new'].map((id) => recent.find(id)?.position),
    [undefined, 8, 9, 10],
  );
  recent.add(at(11), [change('newer')]);
  assert.equal(recent.find('q'), undefined);
  assert.equal(recent.size, 3);
});
