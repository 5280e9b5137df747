/** What the tests of the operations share: a small catalog, what it holds, and an environment that is the same each time. */
import assert from 'node:assert/strict';
import type { TreePath } from '../../tree/index.ts';
import { parseXml } from '../../xml/index.ts';
import { draftOf } from '../draft.ts';
import { catalogOf, SMALL } from '../testing/fixtures.ts';
import type { Draft } from '../view.ts';
import type { Env } from './env.ts';

export function environment(): Env {
  let seed = 1;
  return {
    now: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    random: () => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    },
    user: 'anna',
  };
}

export const env = environment();
export const xml = (text: string) => parseXml(text).root;
export const start = (more: Readonly<Record<string, string>> = {}) => draftOf(catalogOf({ ...SMALL, ...more }));
export const text = (draft: Draft, path: string) => Buffer.from(draft.read(path as TreePath) ?? '').toString();
export const exists = (draft: Draft, path: string) => draft.exists(path as TreePath);

export const topp = (draft: Draft) => draft.workspace('topp')!;
export const pg = (draft: Draft) => draft.store(topp(draft), 'pg')!;
export const roads = (draft: Draft) => draft.resource(topp(draft), 'roads')!;
export const layer = (draft: Draft, name = 'roads') => draft.layer(name)!;
export const map = (draft: Draft) => draft.layerGroup('map')!;
export const water = (draft: Draft) => draft.style('water')!;

/** Draft after which nothing dangles. */
export function clean(draft: Draft): void {
  assert.deepEqual([...draft.broken()], []);
}
