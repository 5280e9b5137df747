import { callRest } from './connection.ts';
import { printDiff } from './diff-text.ts';
import type { DiffOptions } from './history-options.ts';
import { withQuery } from './requests.ts';

/** Prints how the files of two positions differ. */
export async function diff(from: string, to: string | undefined, options: DiffOptions): Promise<void> {
  await printDiff(
    await callRest(options, withQuery('/cluster/diff', { from, to, path: options.path }), { accept: 'text/x-diff' }),
  );
}
