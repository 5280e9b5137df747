import { printDiff } from './diff-text.ts';
import type { DiffOptions } from './history-options.ts';
import { callRest } from './rest-client.ts';

/** Prints how the files of two positions differ. */
export async function diff(from: string, to: string | undefined, options: DiffOptions): Promise<void> {
  await printDiff(await callRest(options, 'GET', '/cluster/diff', { query: { from, to, path: options.path } }));
}
