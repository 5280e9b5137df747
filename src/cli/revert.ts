import { UserError } from '../base/index.ts';
import type { Conflict, FileChange } from '../cluster/index.ts';
import { coloredLine } from './diff-text.ts';
import type { GoBackOptions, RevertOptions } from './history-options.ts';
import { whatText } from './log.ts';
import { readJson } from './requests.ts';
import { filesTable } from './show.ts';
import { styled } from './text.ts';

/** Takes back one change, or everything since a position, as a new change. */
export async function revert(position: string | undefined, options: RevertOptions): Promise<void> {
  const { to, path, dryRun, force, why } = options;
  if ((position === undefined) === (to === undefined))
    throw new UserError(
      400,
      'bad-arguments',
      'name the change that is to be taken back (graticule revert 12), or the position to go back to (graticule revert --to 10)',
    );
  const target = to !== undefined ? { to } : /^[\d.]+$/.test(position!) ? { position } : { change: position };
  const json = {
    ...target,
    ...(path && { path }),
    ...(dryRun && { dryRun }),
    ...(force && { force }),
    ...(why && { why }),
  };
  printOutcome(await readJson<Outcome>(options, '/cluster/revert', { method: 'POST', json }), options);
}

/** What the API answers to a revert or a restore. */
export interface Outcome {
  readonly position: number;
  readonly changed: boolean;
  readonly what: string;
  readonly fileCount: number;
  readonly files: readonly FileChange[];
  readonly conflicts: readonly Conflict[];
  readonly diff?: string;
}

export function printOutcome(outcome: Outcome, options: GoBackOptions, done = 'Taken back'): void {
  if (options.json) console.log(JSON.stringify(outcome, undefined, 2));
  else console.log(outcomeText(outcome, options, done));
  if (options.dryRun && outcome.conflicts.length > 0 && !options.force) process.exitCode = 2;
}

export function outcomeText(
  outcome: Outcome,
  { dryRun, force }: Pick<GoBackOptions, 'dryRun' | 'force'>,
  done: string,
): string {
  const { position, changed, fileCount, files, conflicts, diff } = outcome;
  const what = whatText(outcome.what);
  const lines: string[] = [];
  if (diff) lines.push(...diff.trimEnd().split('\n').map(coloredLine), '');
  if (fileCount > 0) lines.push(filesTable(files, fileCount), '');
  for (const { path, reason, changedBy } of conflicts) {
    const by = changedBy.length > 0 ? ` (changed by ${changedBy.join(', ')})` : '';
    lines.push(`  ${styled('red', 'in the way')}   ${path}: ${reason}${by}`);
  }
  if (conflicts.length > 0) lines.push('');
  if (fileCount === 0) lines.push(`  Nothing to do for ${what}: the files are so already.`);
  else if (!dryRun)
    lines.push(`  ${styled('green', done)}: ${what}, as position ${changed ? position : `${position}, made before`}.`);
  else if (conflicts.length > 0 && !force)
    lines.push(
      `  A dry run: nothing was changed. Without --force it would be refused: take back the later changes first.`,
    );
  else lines.push(`  A dry run: nothing was changed. Without --dry-run it would be done: ${what}.`);
  return lines.join('\n');
}
