import { Readable } from 'node:stream';
import { type Clock, UnavailableError, UncertainError } from '../../src/base/index.ts';
import type { ChangeLog, LogRecord } from '../../src/log/index.ts';
import type { Position } from '../../src/tree/index.ts';
import type { Dice } from './dice.ts';
import { type Life, never, type Pace, untilTurn } from './life.ts';

/** How often the network fails, 0 to 1 for each call, and how slow it is. */
export interface Weather {
  latencyMs: number;
  /** Nothing was done, and the caller does not know. */
  lostRequest: number;
  /** It was done, and the caller does not know. */
  lostAnswer: number;
  /** The caller is told that its request was lost; it arrives all the same, later. */
  lateRequest: number;
  /** The request arrives twice. */
  doubled: number;
  /** It is known that nothing was done. */
  refused: number;
  /** A snapshot or blob breaks off half-way. */
  brokenBody: number;
}

export const FAIR: Weather = {
  latencyMs: 1,
  lostRequest: 0,
  lostAnswer: 0,
  lateRequest: 0,
  doubled: 0,
  refused: 0,
  brokenBody: 0,
};

/** The line between a process and the log. */
export interface Line {
  readonly weather: Weather;
  /** Requests do not arrive. */
  outCut: boolean;
  /** Answers and records do not arrive. */
  inCut: boolean;
}

export interface LineOptions {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly life: Life;
  readonly pace: Pace;
  readonly line: Line;
}

/** How long a connection is silent before it is given up. */
const SILENCE_MS_MAX = 1500;

/** Calls that give one thing after the other. */
const ITERATED: ReadonlySet<string> = new Set(['read', 'peers', 'blobs']);

/** The log as a process reaches it: over a line that loses, delays and repeats. */
export function overNetwork(handle: ChangeLog, options: LineOptions): ChangeLog {
  const { life } = options;
  const calls = new Map<string, unknown>();
  return new Proxy(handle, {
    get(target, name: string) {
      const member = target[name as keyof ChangeLog];
      if (typeof member !== 'function') return member;
      const known = calls.get(name);
      if (known !== undefined) return known;
      const real = (member as (...args: never[]) => unknown).bind(target) as (...args: unknown[]) => unknown;
      const wrapped = ITERATED.has(name)
        ? (...args: unknown[]) => deliver(real(...args) as AsyncIterable<unknown>, options)
        : name === 'close'
          ? real
          : (...args: unknown[]) =>
              life.inside(call(name, () => real(...args) as Promise<unknown>, options, bodyOf(args[1])));
      calls.set(name, wrapped);
      return wrapped;
    },
  });
}

async function call(
  name: string,
  step: () => Promise<unknown>,
  options: LineOptions,
  upload: Readable | undefined,
): Promise<unknown> {
  const { clock, dice, life, pace, line } = options;
  const { weather } = line;
  const takes = () => clock.sleep(untilTurn(clock, pace, dice.upTo(weather.latencyMs)));
  const lost = async (): Promise<never> => {
    await clock.sleep(untilTurn(clock, pace, dice.upTo(SILENCE_MS_MAX)));
    const text = `the connection to the log was lost before it answered (${name})`;
    throw name === 'append' ? new UncertainError(text) : new UnavailableError('log-unreachable', text);
  };
  await takes();
  if (life.dead) return never();
  // What carries a body cannot arrive twice, or after its sender has given up.
  const repeatable = name === 'append';
  if (dice.chance(weather.refused) || (line.outCut && dice.chance(0.5)))
    throw new UnavailableError('log-unreachable', `the log cannot be reached (${name})`);
  if (upload !== undefined && dice.chance(weather.brokenBody)) {
    for await (const _chunk of upload) break;
    return lost();
  }
  if (line.outCut || dice.chance(weather.lostRequest)) return lost();
  if (repeatable && dice.chance(weather.lateRequest)) {
    void clock.sleep(dice.upTo(3000)).then(() => step().catch(() => {}));
    return lost();
  }
  if (repeatable && dice.chance(weather.doubled)) void clock.sleep(dice.upTo(200)).then(() => step().catch(() => {}));
  const answer = await step();
  await takes();
  if (line.inCut || dice.chance(weather.lostAnswer)) {
    discard(answer);
    return lost();
  }
  return dice.chance(weather.brokenBody) ? broken(answer) : answer;
}

/** Records on their way: late, and in batches of other sizes. */
async function* deliver(batches: AsyncIterable<unknown>, options: LineOptions): AsyncIterable<unknown> {
  const { clock, dice, life, pace, line } = options;
  const source = batches[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await life.inside(source.next());
      if (next.done) return;
      let batch = next.value as readonly (LogRecord & object)[];
      while (batch.length > 0) {
        const size = dice.chance(0.3) ? dice.whole(1, batch.length) : batch.length;
        await clock.sleep(untilTurn(clock, pace, dice.upTo(line.weather.latencyMs)));
        while (line.inCut && !life.dead) await clock.sleep(20);
        if (life.dead) await never();
        yield batch.slice(0, size);
        batch = batch.slice(size);
      }
    }
  } finally {
    await source.return?.();
  }
}

type Answer = Readable | { readonly at: Position; readonly body: Readable } | undefined | unknown;

function bodyOf(answer: Answer): Readable | undefined {
  if (answer instanceof Readable) return answer;
  const body = (answer as { body?: unknown } | undefined)?.body;
  return body instanceof Readable ? body : undefined;
}

function discard(answer: Answer): void {
  bodyOf(answer)?.destroy();
}

function broken(answer: Answer): Answer {
  const body = bodyOf(answer);
  if (body === undefined) return answer;
  const half = Readable.from(halfOf(body));
  return answer instanceof Readable ? half : { ...(answer as object), body: half };
}

async function* halfOf(body: Readable): AsyncIterable<Buffer> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    yield chunk.subarray(0, chunk.length >> 1);
    throw new UnavailableError('log-unreachable', 'the connection to the log broke off');
  }
}
