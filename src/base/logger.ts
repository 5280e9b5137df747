/**
 * Structured log: an event word and facts, never sentences. Units are part of a fact's name (`tookMs`, `bytes`).
 * Secrets are not passed in.
 */
export interface Logger {
  debug(event: string, facts?: Facts): void;
  info(event: string, facts?: Facts): void;
  warn(event: string, facts?: Facts): void;
  error(event: string, facts?: Facts): void;
}

export type Facts = Readonly<Record<string, unknown>>;

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
