/**
 * Runs as many schedules as are asked for: `npm run simulate -- --seeds N [--from S] [--jobs J] [--mutation NAME]`. Prints each
 * seed that fails, with its last events, how far it is, and in the end one line; the exit code is 1 when a seed failed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { MUTATIONS, type MutationName } from './mutations.ts';
import { report } from './report.ts';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    mutation: { type: 'string', default: 'none' },
    'max-failures': { type: 'string', default: '10' },
    /** For the processes that this one starts: run the seeds from `from` here, and tell of each. */
    portion: { type: 'boolean', default: false },
  },
});

/** What a process that runs some of the seeds tells the one that started it. */
interface Message {
  readonly seed: number;
  readonly records: number;
  readonly failure?: string;
}

const PROGRESS_MS = 10_000;
/** Seeds that one process runs: what a schedule leaves in memory ends with it. */
const PORTION = 200;
const seeds = wholeNumber('seeds', values.seeds);
const from = wholeNumber('from', values.from);
const jobs = Math.min(wholeNumber('jobs', values.jobs), seeds);
const mutation = mutationOf(values.mutation);

if (values.portion) await work();
else await lead();

async function work(): Promise<void> {
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await simulate(seed, mutation);
    const { records, problem } = outcome;
    process.send!({ seed, records, ...(problem !== undefined && { failure: report(outcome, mutation) }) });
  }
  process.disconnect();
}

async function lead(): Promise<void> {
  const startedMs = performance.now();
  const failed: number[] = [];
  const running = new Set<ChildProcess>();
  let [done, records, next] = [0, 0, from];
  let complete = true;
  const failuresMax = wholeNumber('max-failures', values['max-failures']);
  const rate = () => done / ((performance.now() - startedMs) / 1000);
  const progress = setInterval(() => {
    const left = done === 0 ? '?' : Math.ceil((seeds - done) / rate());
    console.log(`${done} of ${seeds}, ${rate().toFixed(1)} a second, ${failed.length} failed, ${left} s left`);
  }, PROGRESS_MS);
  const hear = ({ seed, records: count, failure }: Message) => {
    done++;
    records += count;
    if (failure === undefined) return;
    failed.push(seed);
    console.log(failure);
    if (failed.length >= failuresMax) for (const each of running) each.kill();
  };
  const job = async () => {
    while (next < from + seeds && failed.length < failuresMax) {
      const count = Math.min(PORTION, from + seeds - next);
      const args = ['--portion', '--from', String(next), '--seeds', String(count), '--mutation', mutation];
      next += count;
      const child = fork(import.meta.filename, args).on('message', hear);
      running.add(child);
      const [code] = (await once(child, 'exit')) as [number | null];
      running.delete(child);
      complete &&= code === 0;
    }
  };
  await Promise.all(Array.from({ length: jobs }, job));
  clearInterval(progress);
  failed.sort((a, b) => a - b);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(
    `${done} of ${seeds} schedules from seed ${from} in ${seconds} s (${rate().toFixed(1)} a second, ${records} records): ` +
      (failed.length > 0 ? `${failed.length} FAILED: ${failed.join(', ')}` : complete ? 'all passed' : 'INCOMPLETE'),
  );
  process.exitCode = failed.length === 0 && complete ? 0 : 1;
}

function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  console.error(`--${name} takes a whole number from 1, and not ${text}`);
  process.exit(2);
}

function mutationOf(name: string): MutationName {
  if (Object.hasOwn(MUTATIONS, name)) return name as MutationName;
  console.error(`there is no mutation ${name}; there are: ${Object.keys(MUTATIONS).join(', ')}`);
  process.exit(2);
}
