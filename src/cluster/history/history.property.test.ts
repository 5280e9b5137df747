import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPatch } from 'diff';
import fc from 'fast-check';
import { silentLogger, systemClock } from '../../base/index.ts';
import { type Position, type TreePath, treePath } from '../../tree/index.ts';
import { testCluster } from '../harness.ts';
import type { ClusterNode } from '../types.ts';
import type { History } from './history.ts';
import type { FileChange } from './types.ts';

type Step = { put: string; text: string } | { delete: string } | { move: string; to: string };

const names = ['a', 'b', 'c', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'd/e/b', 'f', 'f/a', 'f/d/a'];
const name = fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      put: name,
      text: fc.constantFrom('1\n', '1\n2\n', 'x\ny\nz', '', '1\n2\n3\n4\n5\n6\n7\n8\n9\n'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ delete: name }) },
  { weight: 2, arbitrary: fc.record({ move: name, to: name }) },
);

/** Text by path. */
type Files = Readonly<Record<string, string>>;

function filesNow(node: ClusterNode): Files {
  const files: Record<string, string> = {};
  const walk = (folder: TreePath | '') => {
    for (const each of node.catalog.list(folder)) {
      const path = treePath((folder ? `${folder}/` : '') + each.replace(/\/$/, ''));
      if (each.endsWith('/')) walk(path);
      else files[path] = Buffer.from(node.catalog.read(path)!).toString();
    }
  };
  walk('');
  return files;
}

async function change(node: ClusterNode, steps: readonly Step[]): Promise<void> {
  await node.write({
    origin: { by: 'test', why: JSON.stringify(steps) },
    evaluate(draft) {
      for (const one of steps)
        try {
          if ('put' in one) draft.put(treePath(one.put), Buffer.from(one.text));
          else if ('delete' in one) draft.delete(treePath(one.delete));
          else draft.move(treePath(one.move), treePath(one.to));
        } catch {
          // Makes no sense on this state.
        }
    },
  });
}

/** What a reader of the diff would have. */
async function patched(
  history: History,
  files: readonly FileChange[],
  between: { before: Position; after: Position },
  old: Files,
) {
  const now: Record<string, string> = { ...old };
  const texts: string[] = [];
  for await (const text of history.diff(files, between)) texts.push(text);
  for (const { path, from, kind } of files) {
    if (kind === 'deleted') delete now[path];
    if (from !== undefined) delete now[from];
  }
  for (const [i, { path, from, kind, before, after }] of files.entries()) {
    if (kind === 'deleted') continue;
    const source = kind === 'added' ? '' : old[from ?? path]!;
    const patch = texts[i]!;
    if (before?.hash === after?.hash || !patch.includes('\n@@')) {
      now[path] = source;
      continue;
    }
    const result = applyPatch(source, patch.slice(patch.indexOf('--- ')));
    assert.notEqual(result, false, patch);
    now[path] = result as string;
  }
  return now;
}

test('every state, every diff, and the way back from every change', async () => {
  const sequences = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 14 });
  await fc.assert(
    fc.asyncProperty(sequences, fc.nat(), fc.nat(), async (sequence, x, y) => {
      const cluster = testCluster();
      try {
        const { node } = await cluster.start('one', {
          files: { a: 'first\n', 'd/e/a': 'deep\n' },
          logger: silentLogger,
          clock: systemClock,
        });
        const states = new Map<Position, Files>([[node.position, filesNow(node)]]);
        const start = node.position;
        for (const [i, steps] of sequence.entries()) {
          const [before, at] = [node.digest, node.position];
          await change(node, steps);
          states.set(node.position, filesNow(node));
          if (i === sequence.length >> 1) await node.snapshot();
          if (i % 3 !== 1 || node.position === at) continue;
          // Directly after it, every change can be taken back, and that as well.
          const [after, changed] = [node.digest, node.position];
          await node.history.revert(
            { target: { kind: 'change', ref: { position: changed } }, force: true },
            { by: 'test' },
          );
          assert.equal(node.digest, before);
          states.set(node.position, filesNow(node));
          await node.history.revert(
            { target: { kind: 'change', ref: { position: node.position } }, force: true },
            { by: 'test' },
          );
          assert.equal(node.digest, after);
          states.set(node.position, filesNow(node));
        }
        const { history } = node;
        for (const [position, files] of states) {
          const tree = await history.files(position);
          assert.deepEqual(
            [...tree.walk()].map(([path]) => path),
            Object.keys(files).sort(),
          );
          for (const [path, text] of Object.entries(files))
            assert.equal(Buffer.from((await history.read(treePath(path), position))!).toString(), text);
          if (position === start) continue;
          const between = { before: (position - 1) as Position, after: position };
          const [shown] = await history.show({ position });
          assert.deepEqual(await patched(history, shown!.files, between, states.get(between.before)!), files);
        }
        const positions = [...states.keys()];
        const [from, to] = [positions[x % positions.length]!, positions[y % positions.length]!];
        const files = await history.between(from, to);
        assert.deepEqual(await patched(history, files, { before: from, after: to }, states.get(from)!), states.get(to));
        await history.revert({ target: { kind: 'to', position: from } }, { by: 'test' });
        assert.deepEqual(filesNow(node), states.get(from));
      } finally {
        await cluster.close();
      }
    }),
    { numRuns: 30 },
  );
});
