import pino, { type DestinationStream } from 'pino';
import type { Facts, Logger } from '../base/index.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `json`: one object a line, for machines. `text`: one line a person can read. */
  readonly format: 'json' | 'text';
  /** Name of the node, in every line. */
  readonly node: string;
  /** Where lines go; standard output when absent. */
  readonly write?: (line: string) => void;
}

/**
 * A log of events and facts. Lines are written as soon as the code that gives them ends or waits: a crash takes none along but
 * what was given in that very moment, and a thousand lines given at once cost one call.
 */
export function openLogger(options: LoggerOptions): Logger {
  const destination: DestinationStream = options.write === undefined ? standardOutput : { write: options.write };
  const target: DestinationStream =
    options.format === 'json' ? destination : { write: (line) => destination.write(readable(line)) };
  const log = pino(
    {
      level: options.level,
      base: { node: options.node },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
    },
    target,
  );
  return {
    debug: (event: string, facts: Facts = {}) => log.debug(facts, event),
    info: (event: string, facts: Facts = {}) => log.info(facts, event),
    warn: (event: string, facts: Facts = {}) => log.warn(facts, event),
    error: (event: string, facts: Facts = {}) => log.error(facts, event),
  };
}

/** `12:30:01.123 info  node-ready position=3 tookMs=120`. */
function readable(line: string): string {
  const { level, time, node: _, event, ...facts } = JSON.parse(line) as Record<string, unknown>;
  const pairs = Object.entries(facts).map(([key, value]) => ` ${key}=${text(value)}`);
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(event)}${pairs.join('')}\n`;
}

function text(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value === 'object' && value !== null && 'message' in value)
    return JSON.stringify((value as { message: unknown }).message);
  return JSON.stringify(value);
}

const GATHERED_CHARACTERS_MAX = 65_536;

/** Standard output, for whole lines; those of one moment are written together. */
class StandardOutput {
  #output: DestinationStream | undefined;
  #gathered = '';

  write(line: string): void {
    if (this.#output === undefined) {
      this.#output = pino.destination({ dest: 1, sync: true });
      process.once('exit', () => this.#flush());
    }
    if (this.#gathered === '') queueMicrotask(() => this.#flush());
    this.#gathered += line;
    if (this.#gathered.length >= GATHERED_CHARACTERS_MAX) this.#flush();
  }

  #flush(): void {
    const text = this.#gathered;
    this.#gathered = '';
    if (text !== '') this.#output?.write(text);
  }
}

const standardOutput = new StandardOutput();
