import { hostname } from 'node:os';
import { silentLogger, systemClock, UnavailableError } from '../base/index.ts';
import { type ChangeLog, type CopyProgress, copyLog, type NodeStatus } from '../log/index.ts';
import type { LogCopyOptions } from './log-copy-options.ts';
import { openNamedLog, whenReached } from './named-log.ts';
import { clusterSecrets } from './secret.ts';
import { styled } from './text.ts';
import { openTls } from './tls.ts';

const PROGRESS_MS = 1000;
/** Nodes are heard of once in so long. */
const HEARD_MS = 2500;
/** The source has changes that the target has not. */
const INCOMPLETE = 2;

/**
 * `graticule log copy FROM TO`: copies a cluster's log to another engine, or goes on with it.
 *
 * @throws UserError | UnavailableError  as `copyLog`
 */
export async function copyCommand(from: string, to: string, options: LogCopyOptions): Promise<void> {
  const logger = silentLogger;
  const tls = openTls(options, logger);
  const secret = () =>
    clusterSecrets({
      given: process.env.GRATICULE_CLUSTER_SECRET,
      file: options.secretFile,
      clusterDir: 'cluster',
      holdsLog: false,
    });
  const common = { secret, tls: tls.client, name: `log-copy-${hostname()}`, logger };
  const stopping = new AbortController();
  const stop = () => stopping.abort(new UnavailableError('stopped', 'stopped; the same command goes on with the copy'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const source = await openNamedLog(from, { ...common, group: options.group });
  let target: ChangeLog | undefined;
  try {
    await whenReached(source, from);
    target = await openNamedLog(to, { ...common, group: options.toGroup ?? options.group });
    await whenReached(target, to);
    const watched = watchNodes(source, stopping.signal);
    const progress = new Progress();
    const { trimmed, head, digest, copied, sourceHead } = await copyLog(source, target, {
      signal: stopping.signal,
      onProgress: (each) => progress.say(each),
    });
    progress.end();
    const primaries = (await watched()).filter(({ role }) => role === 'both');
    const count = `${copied.records} records, ${copied.snapshots} snapshots and ${copied.blobs} files (${bytesText(copied.bytes)})`;
    console.log(`  ${styled('green', 'Copied')} ${count}; the rest was there.`);
    console.log(`  Positions ${trimmed + 1} to ${head} are the same in both, SHA-256 ${digest}.`);
    if (sourceHead > head) {
      console.log(`
  ${styled('yellow', 'Not complete')}: the log goes up to position ${sourceHead} by now. Pause its primaries${namesText(primaries)},
  then run this again: it goes on where it was.`);
      process.exitCode = INCOMPLETE;
    } else if (primaries.length > 0)
      console.log(`
  ${styled('yellow', 'Primaries are not paused')}${namesText(primaries)}: what they change from now on is not in the copy. Before the nodes
  move, pause them and run this again.`);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    stopping.abort();
    await Promise.all([source.close(), target?.close()]);
  }
}

/** @returns the nodes that have been heard of on the log, once there was time to hear of them */
function watchNodes(log: ChangeLog, signal: AbortSignal): () => Promise<readonly NodeStatus[]> {
  const untilMs = performance.now() + HEARD_MS;
  let nodes: readonly NodeStatus[] = [];
  void (async () => {
    for await (const list of log.peers(signal)) nodes = list;
  })().catch(() => {});
  return async () => {
    await systemClock.sleep(Math.max(0, untilMs - performance.now()), signal).catch(() => {});
    return nodes;
  };
}

/** A line at the beginning of each step, and a line a second while it lasts. */
class Progress {
  #step: CopyProgress['step'] | undefined;
  #saidMs = 0;

  say({ step, done, total }: CopyProgress): void {
    const nowMs = performance.now();
    if (step === this.#step && nowMs - this.#saidMs < PROGRESS_MS) return;
    this.#step = step;
    this.#saidMs = nowMs;
    const text = `  ${step.padEnd(10)} ${done} of ${total}`;
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
  }

  end(): void {
    if (process.stderr.isTTY && this.#step !== undefined) process.stderr.write('\r\u001b[K');
  }
}

function namesText(nodes: readonly NodeStatus[]): string {
  return nodes.length > 0 ? ` (${nodes.map(({ name }) => name).join(', ')})` : '';
}

function bytesText(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
