import type { FileChange } from '../cluster/index.ts';
import { callRest } from './connection.ts';
import { printDiff } from './diff-text.ts';
import type { ShowOptions } from './history-options.ts';
import { addressText, type ListedChange, localTime, whatText } from './log.ts';
import { readJson, withQuery } from './requests.ts';
import { styled, table } from './text.ts';

type Shown = ListedChange & { readonly fileCount: number; readonly files: readonly FileChange[] };

/** Prints the change at a position: who, when, why, which files, and how. */
export async function show(position: string, options: ShowOptions): Promise<void> {
  const place = `/cluster/changes/${encodeURIComponent(position)}`;
  const { changes } = await readJson<{ changes: { change: Shown[] } }>(options, `${place}.json`);
  if (options.json) {
    console.log(JSON.stringify(changes, undefined, 2));
    return;
  }
  for (const change of changes.change) {
    console.log(`${headText(change)}\n`);
    console.log(`${filesTable(change.files, change.fileCount)}\n`);
    if (options.files || change.kind === 'genesis') continue;
    const query = { path: options.path };
    await printDiff(
      await callRest(options, withQuery(`/cluster/changes/${change.ref}/diff`, query), { accept: 'text/x-diff' }),
    );
  }
}

function headText({ ref, id, by, address, node, at, why }: Shown): string {
  return [
    styled('yellow', `change ${ref}`) + styled('dim', ` (${id})`),
    `  by ${styled('bold', by)}${address ? ` from ${addressText(address)}` : ''} on node ${node}`,
    `  at ${localTime(at)}`,
    `  ${whatText(why)}`,
  ].join('\n');
}

const COLORS = { added: 'green', changed: 'yellow', deleted: 'red', moved: 'cyan' } as const;

/** The files of a change: what happened to each, and their sizes. */
export function filesTable(files: readonly FileChange[], count: number): string {
  if (count === 0) return '  No file is another one.';
  const rows = files.map(({ kind, path, from, before, after }) => [
    styled(COLORS[kind], kind),
    from === undefined ? path : `${from} → ${path}`,
    sizeText(before?.size, after?.size),
  ]);
  const more = count > files.length ? `\n  … and ${count - files.length} more` : '';
  return table([['', 'FILE', 'BYTES'], ...rows]) + more;
}

function sizeText(before: number | undefined, after: number | undefined): string {
  if (before === undefined || after === undefined || before === after) return String(after ?? before ?? '');
  return `${before} → ${after}`;
}
