import assert from 'node:assert/strict';
import { test } from 'node:test';
import { negotiateVersion } from './version.ts';

/** Asked for, answered; the offer is 1.1.1 and 1.3.0. */
const CASES: readonly [string | undefined, string][] = [
  [undefined, '1.3.0'],
  ['', '1.3.0'],
  ['1.3.0', '1.3.0'],
  ['1.1.1', '1.1.1'],
  ['1.0.0', '1.1.1'],
  ['1.1.0', '1.1.1'],
  ['1.2.0', '1.1.1'],
  ['1.3', '1.3.0'],
  ['1.3.1', '1.3.0'],
  ['1.10.0', '1.3.0'],
  ['2.0.0', '1.3.0'],
  ['0.9', '1.1.1'],
  ['latest', '1.3.0'],
];

for (const [asked, answered] of CASES)
  test(`${asked} is answered in ${answered}`, () =>
    assert.equal(negotiateVersion(['1.1.1', '1.3.0'], asked), answered));
