import type { ChangeEntry, Step } from '../cluster/index.ts';
import type { LogOptions } from './history-options.ts';
import { readJson, withQuery } from './requests.ts';
import { styled, table, width } from './text.ts';

/** Changes that a node is asked for at once. */
const PAGE = 500;

/** A change as the API lists it. */
export type ListedChange = Omit<ChangeEntry, 'steps'> & {
  readonly steps: readonly Step[];
  readonly stepCount: number;
};

interface Listed {
  readonly changes: { readonly keptFrom: number; readonly next?: string; readonly change: readonly ListedChange[] };
}

/** Prints the changes of a cluster, the newest first. */
export async function log(options: LogOptions): Promise<void> {
  const { path, workspace, by, node, since, until, why } = options;
  const changes: ListedChange[] = [];
  let next = options.before;
  let keptFrom = 1;
  do {
    const limit = Math.min(PAGE, options.limit - changes.length);
    const query = { limit, before: next, path, workspace, by, node, since, until, why };
    const page = (await readJson<Listed>(options, withQuery('/cluster/changes.json', query))).changes;
    changes.push(...page.change);
    ({ next, keptFrom } = page);
  } while (next !== undefined && changes.length < options.limit);
  if (options.json) console.log(JSON.stringify({ keptFrom, next, changes }, undefined, 2));
  else console.log(logText(changes, { next, keptFrom, columns: process.stdout.columns }));
}

export function logText(
  changes: readonly ListedChange[],
  more: { readonly next?: string | undefined; readonly keptFrom: number; readonly columns?: number | undefined },
): string {
  if (changes.length === 0)
    return `  No such change${more.keptFrom > 1 ? `; the log keeps changes from position ${more.keptFrom} on` : ''}.`;
  const rows = [
    ['POSITION', 'TIME', 'WHO', 'FROM', 'WHAT', 'FILES'],
    ...changes.map((change) => [
      styled('yellow', change.ref),
      localTime(change.at),
      styled('bold', change.by),
      change.address === undefined ? styled('dim', change.node) : addressText(change.address),
      whatText(change.why),
      filesText(change),
    ]),
  ];
  const lines = fitted(rows, more.columns);
  if (more.next !== undefined) lines.push('', styled('dim', `  Older ones: --before ${more.next}`));
  else if (more.keptFrom > 1)
    lines.push('', styled('dim', `  The log keeps changes from position ${more.keptFrom} on.`));
  return lines.join('\n');
}

/** On a terminal a change takes one line; into a file everything is written. */
function fitted(rows: readonly (readonly string[])[], columns: number | undefined): string[] {
  if (columns === undefined) return table(rows).split('\n');
  const others =
    Math.max(
      ...table(rows.map((row) => row.slice(0, -2).concat('', '|')))
        .split('\n')
        .map(width),
    ) + 2;
  const free = Math.max(40, columns - others);
  const what = Math.min(Math.max(...rows.map((row) => row.at(-2)!.length)), Math.floor(free * 0.55));
  return table(rows.map((row) => [...row.slice(0, -2), cut(row.at(-2)!, what), cut(row.at(-1)!, free - what)])).split(
    '\n',
  );
}

/** The end of a path tells more than its beginning; the middle goes. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** `2026-05-31 12:00:05`, where the reader is. */
export function localTime(iso: string): string {
  const time = new Date(iso);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`;
}

/** An IPv4 address as such. */
export function addressText(address: string): string {
  return address.replace(/^::ffff:/i, '');
}

/** Every request begins alike: the context path says nothing. */
export function whatText(why: string): string {
  return why.replace(/ \/[^/\s]+\/rest\//g, ' /rest/');
}

/** One step as it is; of several, how many and where. */
export function filesText({ steps, stepCount, kind }: ListedChange): string {
  if (kind === 'genesis') return '';
  const [first] = steps;
  if (first === undefined) return '';
  if (stepCount === 1) return stepText(first);
  const other = steps.find((step) => step.kind !== 'put');
  if (other !== undefined) return `${stepText(other)} and ${stepCount - 1} more`;
  const paths = steps.flatMap((step) => (step.kind === 'put' ? step.path : []));
  const folder = commonFolder(paths);
  return folder === '' ? `${stepCount} files: ${paths[0]}, …` : `${stepCount} files in ${folder}`;
}

function stepText(step: Step): string {
  switch (step.kind) {
    case 'put':
      return step.path;
    case 'delete':
      return `-${step.path}`;
    case 'move':
      return `${step.from} → ${step.to}`;
  }
}

function commonFolder(paths: readonly string[]): string {
  let common = paths[0]!.split('/').slice(0, -1);
  for (const path of paths) {
    const segments = path.split('/');
    const end = common.findIndex((segment, i) => segments[i] !== segment);
    if (end >= 0) common = common.slice(0, end);
  }
  return common.join('/');
}
