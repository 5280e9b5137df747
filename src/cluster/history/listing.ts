import type { Change, FileOperation, Position, TreePath, TreeRecord } from '../../tree/index.ts';
import { isWithin } from '../../tree/index.ts';
import type { LogReader } from './reader.ts';
import { formatRef } from './refs.ts';
import type { ChangeEntry, ChangeFilter, ChangeList, ListOptions, Step } from './types.ts';

/** Records that one call looks through at most; it says where to go on. */
const SCANNED_MAX = 20_000;
/** Nodes' clocks may differ by so much: older changes are looked for that far behind the first one that is too old. */
const CLOCKS_DIFFER_MS = 3_600_000;

/** Lists changes, the newest first; reads the log from its end, and no more of it than the answer needs. */
export async function listChanges(reader: LogReader, head: Position, options: ListOptions): Promise<ChangeList> {
  const { before, limit } = options;
  const trimmed = await reader.trimmed();
  const keptFrom = (trimmed + 1) as Position;
  // Of the record that `before` lies in, the changes that come before it.
  const top = Math.min(
    head,
    before === undefined ? head : before.position - (before.index === undefined ? 1 : 0),
  ) as Position;
  const changes: ChangeEntry[] = [];
  let last: ChangeEntry | undefined;
  let scanned = 0;
  if (top <= trimmed) return { changes, keptFrom };
  for await (const { position, record } of reader.backwards(top, trimmed)) {
    const entries = entriesOf(position, record);
    for (const [i, entry] of entries.entries().toArray().reverse()) {
      if (before?.index !== undefined && position === before.position && i + 1 >= before.index) continue;
      last = entry;
      if (!matches(entry, options)) continue;
      changes.push(entry);
      if (changes.length >= limit) return page(changes, last, keptFrom, position > keptFrom || i > 0);
    }
    if (options.since !== undefined && last !== undefined && Date.parse(last.at) < options.since - CLOCKS_DIFFER_MS)
      return { changes, keptFrom };
    if (++scanned >= SCANNED_MAX) return page(changes, last, keptFrom, position > keptFrom);
  }
  return { changes, keptFrom };
}

function page(
  changes: readonly ChangeEntry[],
  last: ChangeEntry | undefined,
  keptFrom: Position,
  hasMore: boolean,
): ChangeList {
  return { changes, keptFrom, ...(hasMore && last && { next: last.ref }) };
}

/** The changes of a record, in order. */
export function entriesOf(position: Position, record: TreeRecord): readonly ChangeEntry[] {
  if (record.kind === 'genesis') {
    const { logId, at, node } = record;
    const why = 'the log begins';
    return [{ ref: String(position), position, kind: 'genesis', id: logId, at, by: 'system', node, why, steps: [] }];
  }
  return record.changes.map((change, i) =>
    entryOf(change, position, formatRef(position, i + 1, record.changes.length)),
  );
}

export function entryOf({ operations, ...info }: Change, position: Position, ref: string): ChangeEntry {
  return { ref, position, kind: 'change', ...info, steps: operations.map(stepOf) };
}

function stepOf(operation: FileOperation): Step {
  if (operation.kind !== 'put') return operation;
  const { path, content } = operation;
  return { kind: 'put', path, size: content.kind === 'blob' ? content.size : content.bytes.length };
}

function matches(entry: ChangeEntry, filter: ChangeFilter): boolean {
  const { path, workspace, by, node, since, until, why } = filter;
  if (by !== undefined && entry.by !== by) return false;
  if (node !== undefined && entry.node !== node) return false;
  if (why !== undefined && !entry.why.toLowerCase().includes(why.toLowerCase())) return false;
  const at = Date.parse(entry.at);
  if (since !== undefined && at < since) return false;
  if (until !== undefined && at > until) return false;
  if (path !== undefined && !entry.steps.some((step) => touches(step, path))) return false;
  if (workspace !== undefined && !entry.steps.some((step) => touches(step, `workspaces/${workspace}`))) return false;
  return true;
}

/** Whether a step may have changed something at or below a path: also when a folder above it was moved or removed. */
export function touches(step: Step | FileOperation, path: string): boolean {
  if (step.kind === 'put') return isWithin(step.path, path);
  const folders: readonly TreePath[] = step.kind === 'move' ? [step.from, step.to] : [step.path];
  return folders.some((folder) => isWithin(folder, path) || isWithin(path, folder));
}

/** Whether a step touches a path, or anything above or below it. */
export function overlaps(step: FileOperation, path: string): boolean {
  return touches(step, path) || (step.kind === 'put' && isWithin(path, step.path));
}
