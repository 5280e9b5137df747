/** After a run: the log against what clients were told, and the nodes' folders against each other. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ChangeLog } from '../../src/log/index.ts';
import { type Change, decodeRecord, type Position } from '../../src/tree/index.ts';
import { type Board, story } from './board.ts';
import { HAND_FOLDER } from './hand-edits.ts';
import type { Operation } from './ledger.ts';
import type { FaultNode } from './node.ts';

interface Found {
  readonly position: number;
  readonly change: Change;
}

/**
 * Every change that was acknowledged stands in the log once, where the answer said, and after all that had been acknowledged
 * when it was asked for; what was refused does not stand there, and nothing that nobody asked for.
 *
 * @returns how many records were looked at
 */
export async function auditLog(log: ChangeLog, board: Board): Promise<number> {
  const byTrace = new Map<string, Found[]>();
  const known = new Map(board.operations.map((operation) => [operation.trace, operation]));
  const from = await log.trimmed();
  let records = 0;
  for await (const { position, changes } of changesOf(log, from)) {
    records++;
    for (const change of changes) {
      const trace = change.trace?.split('-')[1] ?? '';
      if (!known.has(trace)) {
        const paths = change.operations.map((each) => (each.kind === 'move' ? each.to : each.path));
        if (!paths.every((each) => each.startsWith(`${HAND_FOLDER}/`)))
          board.violate(
            'uncalled',
            `position ${position} holds what nobody asked for: ${change.why} by ${change.node}: ${paths}`,
          );
        continue;
      }
      const found = byTrace.get(trace) ?? [];
      found.push({ position, change });
      byTrace.set(trace, found);
    }
  }
  for (const operation of board.operations) auditOne(operation, byTrace.get(operation.trace) ?? [], { board, from });
  return records;
}

function auditOne(
  operation: Operation,
  found: readonly Found[],
  { board, from }: { board: Board; from: Position },
): void {
  const { verdict, position, after } = operation;
  const where =
    found.length === 0 ? 'not in the log' : `in the log at ${found.map((each) => each.position).join(', ')}`;
  const wrong = (kind: string) => board.violate(kind, `${where}: ${story(operation)}`);
  if (found.length > 1) wrong('done-twice');
  if (verdict === 'done' && found.length === 0 && (position ?? 0) > from) wrong('lost');
  if ((verdict === 'refused' || verdict === 'not-done') && found.length > 0) wrong('done-though-refused');
  if (verdict === 'done' && found.length === 1 && found[0]!.position !== position) wrong('other-position');
  if (found.some((each) => each.position <= after)) wrong('out-of-order');
}

async function* changesOf(
  log: ChangeLog,
  from: Position,
): AsyncIterable<{ readonly position: Position; readonly changes: readonly Change[] }> {
  const head = await log.head();
  if (head <= from) return;
  for await (const batch of log.read(from, new AbortController().signal))
    for (const { position, body } of batch) {
      const record = decodeRecord(body);
      yield { position, changes: record.kind === 'changes' ? record.changes : [] };
      if (position >= head) return;
    }
}

/** What is a node's own in its data directory. */
const OWN = new Set(['cluster', 'logs', 'tmp']);

/** All files of the nodes' data directories, byte by byte. @returns how many files each has */
export function compareFolders(nodes: readonly FaultNode[], board: Board): number {
  const [first, ...others] = nodes.map((node) => ({ node, hashes: hashesOf(node.parts.dataDir) }));
  for (const other of others) {
    const paths = new Set([...first!.hashes.keys(), ...other.hashes.keys()]);
    const differing = [...paths].filter((each) => first!.hashes.get(each) !== other.hashes.get(each)).sort();
    if (differing.length === 0) continue;
    const shown = differing.slice(0, 20).map((each) => {
      const [a, b] = [first!.hashes.get(each), other.hashes.get(each)];
      return `${each} (${a?.slice(0, 8) ?? 'absent'}, ${b?.slice(0, 8) ?? 'absent'})`;
    });
    board.violate(
      'diverged',
      `${differing.length} files of ${first!.node.name} and ${other.node.name} are not the same: ${shown.join(', ')}`,
    );
  }
  return first!.hashes.size;
}

function hashesOf(dataDir: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const entry of readdirSync(dataDir, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name);
    const relative = path.relative(dataDir, full);
    if (!entry.isFile() || OWN.has(relative.split(path.sep)[0]!)) continue;
    hashes.set(relative, createHash('sha256').update(readFileSync(full)).digest('hex'));
  }
  return hashes;
}
