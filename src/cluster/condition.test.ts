import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position } from '../tree/index.ts';
import { conditionOf, type Facts } from './condition.ts';

const well: Facts = { role: 'both', joined: true, holdsState: true, position: 5 as Position, head: 5 as Position };

const cases: readonly [name: string, facts: Partial<Facts>, state: string, reason?: RegExp][] = [
  ['everything applied', {}, 'in-step'],
  ['the head was heard of before more was applied', { head: 3 as Position }, 'in-step'],
  ['records are missing', { head: 9 as Position }, 'behind', /^4 records/],
  [
    'a record cannot be applied',
    { head: 6 as Position, obstacle: 'no such blob' },
    'behind',
    /^1 records.*: no such blob/,
  ],
  ['what could not be applied has been', { obstacle: 'no such blob' }, 'in-step'],
  ['the log does not answer', { unreachable: 'no route', head: 9 as Position }, 'stale', /no route/],
  ['nothing of the cluster yet', { joined: false }, 'starting', /joining/],
  ['a replica before genesis', { joined: false, waitingFor: 'the log is empty' }, 'starting', /empty/],
  ['back, and the log does not answer', { joined: false, unreachable: 'no route' }, 'stale', /no route/],
  [
    'new, and the log does not answer',
    { joined: false, holdsState: false, unreachable: 'no route' },
    'starting',
    /no route/,
  ],
  ['paused, whatever the log does', { role: 'paused', unreachable: 'no route' }, 'paused', /another role/],
  ['must not go on', { halted: 'ahead of the log', unreachable: 'no route' }, 'stopped', /ahead/],
  ['the disk is full', { diskFailure: 'ENOSPC' }, 'stopped', /ENOSPC/],
  ['a replica is in step as well', { role: 'replica' }, 'in-step'],
];

for (const [name, facts, state, reason] of cases)
  test(`${state}: ${name}`, () => {
    const condition = conditionOf({ ...well, ...facts });
    assert.equal(condition.state, state);
    if (reason) assert.match(condition.reason ?? '', reason);
    else assert.equal(condition.reason, undefined);
  });
