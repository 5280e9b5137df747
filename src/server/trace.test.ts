import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanOf } from './trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

test('a span lies in the trace of the caller, with its flags and an id of its own', () => {
  const span = spanOf(`00-${TRACE}-${PARENT}-00`);
  assert.match(span, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  assert.ok(!span.includes(PARENT));
  assert.ok(spanOf(`cc-${TRACE}-${PARENT}-01-what-comes-later`).startsWith(`00-${TRACE}-`));
});

for (const bad of [
  undefined,
  '',
  TRACE,
  `00-${'0'.repeat(32)}-${PARENT}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `ff-${TRACE}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-01-more`,
  `00-${TRACE.toUpperCase()}-${PARENT}-01`,
])
  test(`${bad} begins a trace of its own`, () => {
    const span = spanOf(bad);
    assert.match(span, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.ok(!span.includes(TRACE));
    assert.notEqual(span, spanOf(bad));
  });
