import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { silentLogger, systemClock } from '../base/index.ts';
import { Catalog } from '../catalog/index.ts';
import { type Digest, type FileOperation, type Position, START, Tree, treePath } from '../tree/index.ts';
import { RecentChanges } from './recent.ts';
import { type ChangesRecord, DigestMismatchError, Replica } from './replica.ts';
import type { NodeCounts } from './types.ts';
import { moves, type PlacedRecord, RecordWindow } from './window.ts';

const style = (n: number, name: string): FileOperation => {
  const bytes = Buffer.from(`<style><id>s${n}</id><name>${name}</name><filename>a.sld</filename></style>`);
  return { kind: 'put', path: treePath(`styles/s${n}.xml`), content: { kind: 'inline', bytes } };
};
const broken: FileOperation = {
  kind: 'put',
  path: treePath('styles/s1.xml'),
  content: { kind: 'inline', bytes: Buffer.from('<style><id>') },
};

const DIFFERENT = '0'.repeat(64) as Digest;

/** Records as a writer makes them; those of `wrong` say another digest. */
function recordsOf(steps: readonly (readonly FileOperation[])[], wrong: readonly number[] = []): PlacedRecord[] {
  const tree = new Tree();
  return steps.map((operations, i) => {
    const position = (i + 1) as Position;
    tree.apply(position, operations);
    const change = { id: `${i}`, at: '2026-01-01T00:00:00Z', by: 'a', node: 'n', why: 'test', operations };
    const digest = wrong.includes(position) ? DIFFERENT : tree.digest;
    return { position, record: { format: 1, kind: 'changes', changes: [change], digest } satisfies ChangesRecord };
  });
}

describe('records that are taken in at once', () => {
  let tree: Tree;
  let catalog: Catalog;
  let replica: Replica;
  let reached: Position[];

  beforeEach(() => {
    tree = new Tree();
    catalog = new Catalog(tree);
    reached = [];
    replica = new Replica({
      tree,
      catalog,
      comparableFrom: () => START,
      recent: new RecentChanges(START),
      counts: { records: 0, changes: 0 } as NodeCounts,
      clock: systemClock,
      logger: silentLogger,
    });
    replica.onApplied((position) => reached.push(position));
  });

  /** What the catalog holds is what a new one reads from the same tree. */
  function agrees(): void {
    const names = (of: Catalog) => Array.from(of.styles(), ({ name, hash }) => [name, hash]);
    assert.deepEqual(names(catalog), names(new Catalog(tree)));
    assert.deepEqual(catalog.broken(), new Catalog(tree).broken());
  }

  const STEPS = [
    [style(1, 'one'), style(2, 'two')],
    [style(1, 'other'), { kind: 'delete', path: treePath('styles/s2.xml') } as const],
    [broken, style(3, 'three')],
    [style(1, 'last')],
  ];

  it('lead to what they lead to one by one, told once', async () => {
    const window = new RecordWindow();
    const filler = Array.from({ length: 100 }, (_, n) => style(10 + n, `filler ${n}`));
    const records = recordsOf([...STEPS, filler]);
    for (const { position, record } of records) window.add(position, record);
    const read = await window.readAhead(async () => {});
    assert.ok(read.size > 100);
    replica.applyAll(window.records, read);
    assert.equal(tree.digest, records.at(-1)!.record.digest);
    assert.deepEqual(reached, [5]);
    agrees();
  });

  it('agree at every number of them', () => {
    for (const [i, placed] of recordsOf(STEPS).entries()) {
      replica.applyAll([placed]);
      assert.equal(tree.position, i + 1);
      agrees();
    }
  });

  it('are passed over where they have been applied meanwhile', () => {
    const records = recordsOf(STEPS);
    replica.applyAll(records.slice(0, 1));
    replica.applyAll(records);
    assert.deepEqual(reached, [1, 4]);
    replica.applyAll(records);
    assert.deepEqual(reached, [1, 4]);
    agrees();
  });

  it('end at the one whose digest differs, with tree and catalog in step', () => {
    const records = recordsOf(STEPS, [2]);
    assert.throws(
      () => replica.applyAll(records),
      (error) => error instanceof DigestMismatchError && error.position === 2,
    );
    assert.equal(tree.position, 2);
    assert.deepEqual(reached, []);
    agrees();
  });

  it('leave tree and catalog in step when one of them cannot be applied', () => {
    const [first, , third] = recordsOf(STEPS);
    assert.throws(() => replica.applyAll([first!, third!]), /cannot be applied/);
    assert.equal(tree.position, 1);
    agrees();
  });

  it('do not come together with moves, which the catalog follows one by one', () => {
    const move = { kind: 'move', from: treePath('workspaces/a'), to: treePath('workspaces/b') } as const;
    const [plain, moving] = recordsOf([[style(1, 'a')], [move]]);
    assert.deepEqual([moves(plain!.record), moves(moving!.record)], [false, true]);
  });
});
