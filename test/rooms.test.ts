/** House rules that a compiler cannot see: which room may import which, and where the clock may be read. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

/** A room may import from those after it; see docs/architecture.md. */
const ROOMS = [
  'cli',
  'server',
  'admin',
  'rest',
  'ogc',
  'tiles',
  'render',
  'data',
  'security',
  'cluster',
  'catalog',
  'log',
  'tree',
  'crs',
  'xml',
  'base',
] as const;

const files = globSync('src/**/*.{ts,tsx}').filter((file) => !file.includes('node_modules'));
const room = (file: string) => path.relative('src', file).split(path.sep)[0]!;

test('every folder under src is a room with a place in the order', () => {
  const unknown = new Set(files.map(room).filter((name) => !ROOMS.includes(name as never)));
  assert.deepEqual([...unknown], []);
});

test('rooms import only from rooms further down', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const from = ROOMS.indexOf(room(file) as never);
    for (const match of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)) {
      const target = path.join(path.dirname(file), match[1]!);
      if (!target.startsWith(`src${path.sep}`)) continue;
      const to = ROOMS.indexOf(room(target) as never);
      if (to < from) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('other rooms are entered through their index', () => {
  const wrong: string[] = [];
  for (const file of files) {
    if (file.endsWith('.test.ts')) continue;
    for (const match of readFileSync(file, 'utf8').matchAll(/from\s+'(\.{1,2}\/[^']+)'/g)) {
      const target = path.join(path.dirname(file), match[1]!);
      if (!target.startsWith(`src${path.sep}`) || room(target) === room(file)) continue;
      if (path.basename(target) !== 'index.ts') wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('the replicated core reads no clock and rolls no dice of its own', () => {
  const wrong: string[] = [];
  for (const file of files) {
    if (!['tree', 'catalog', 'cluster'].includes(room(file)) || file.endsWith('.test.ts')) continue;
    const source = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    for (const match of source.matchAll(
      /Date\.now|new Date\(\)|performance\.now|Math\.random|\bsetTimeout\b|\bsetInterval\b/g,
    ))
      wrong.push(`${file}: ${match[0]}`);
  }
  assert.deepEqual(wrong, []);
});
