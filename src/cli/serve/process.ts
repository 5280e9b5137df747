import { type Logger, messageOf } from '../../base/index.ts';

/** What a parent process is told over its channel. */
export type NodeMessage =
  | { readonly kind: 'ready'; readonly name: string; readonly url: string; readonly position: number }
  | { readonly kind: 'trouble'; readonly event: string; readonly reason: string };

const REASON_CHARACTERS_MAX = 300;
/** Everything together is over by then. */
const STOP_MAX_MS = 10_000;

export type Closer = () => Promise<unknown> | unknown;

/**
 * Ends everything in the opposite order of its beginning, at most once, and then the process: at a signal, when the parent of a demo
 * node has gone, after an error that nobody caught, or when the returned function is called.
 */
export function stopOnSignals(logger: Logger, closers: readonly Closer[]): (why: string, exitCode: number) => void {
  let stopping = false;
  const stop = (why: string, exitCode: number) => {
    if (stopping) {
      if (why === 'SIGINT') process.exit(130);
      return;
    }
    stopping = true;
    logger.info('stopping', { why });
    setTimeout(() => {
      logger.error('stop-timed-out', { afterMs: STOP_MAX_MS });
      process.exit(1);
    }, STOP_MAX_MS).unref();
    void (async () => {
      for (const close of closers.toReversed()) {
        try {
          await close();
        } catch (error) {
          logger.error('close-failed', { error });
          exitCode ||= 1;
        }
      }
      logger.info('stopped');
      process.exit(exitCode);
    })();
  };
  process.on('SIGINT', () => stop('SIGINT', 0));
  process.on('SIGTERM', () => stop('SIGTERM', 0));
  process.on('disconnect', () => stop('parent-gone', 0));
  process.on('uncaughtException', (error) => {
    logger.error('uncaught-error', { error });
    stop('uncaught-error', 1);
  });
  return stop;
}

export function tellParent(message: NodeMessage): void {
  if (process.connected) process.send?.(message);
}

/** A logger whose errors reach the parent process as well; `current` may be another one from time to time. */
export function tellingParent(current: () => Logger): Logger {
  return {
    debug: (event, facts) => current().debug(event, facts),
    info: (event, facts) => current().info(event, facts),
    warn: (event, facts) => current().warn(event, facts),
    error: (event, facts) => {
      current().error(event, facts);
      const said = facts?.reason ?? facts?.remedy ?? facts?.problem ?? (facts?.error && messageOf(facts.error));
      const reason =
        said ??
        Object.entries(facts ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .join(' ');
      tellParent({ kind: 'trouble', event, reason: String(reason).slice(0, REASON_CHARACTERS_MAX) });
    },
  };
}
