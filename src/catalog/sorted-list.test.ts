import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareEntries, type Entry, SortedList } from './sorted-list.ts';

test('a list holds what was added and not removed, in order, however reads fall between', () => {
  const step = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), read: fc.boolean(), remove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const list = new SortedList<Entry>();
      const model = new Set<Entry>();
      const sorted = () => [...model].sort(compareEntries);
      let n = 0;
      for (const { name, read, remove } of steps) {
        const [oldest] = model;
        if (remove && oldest !== undefined) {
          list.remove(oldest);
          model.delete(oldest);
        } else {
          const entry = { name, object: { path: String(n++) } };
          list.add(entry);
          model.add(entry);
        }
        if (read) assert.deepEqual(list.items(), sorted());
      }
      assert.equal(list.size, model.size);
      assert.deepEqual(
        list.named('b'),
        sorted().filter((entry) => entry.name === 'b'),
      );
      assert.deepEqual(list.items(), sorted());
    }),
  );
});

test('who reads a list is not disturbed by changes', () => {
  const list = new SortedList<Entry>();
  const entries = Array.from({ length: 100 }, (_, i) => ({ name: String(i), object: { path: '' } }));
  for (const entry of entries) list.add(entry);
  const seen: string[] = [];
  for (const entry of list.items()) {
    seen.push(entry.name);
    list.remove(entry as (typeof entries)[number]);
    list.items();
  }
  assert.equal(seen.length, 100);
  assert.equal(list.size, 0);
});
