/** Measures against peers in the same run and prints ratios; see USAGE. */
import { arch, cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { messageOf, VERSION } from '../src/base/index.ts';
import { ENGINES } from './engine-list.ts';
import { engines } from './engines.ts';
import { maps } from './maps.ts';
import { replication } from './replication.ts';
import { scale } from './scale.ts';

const BENCHMARKS = ['replication', 'engines', 'maps', 'scale'];
const USAGE = `npm run bench [-- NAME ...] [--small] [--only ENGINE[,ENGINE ...]]

  NAME     ${BENCHMARKS.join(', ')}; default: all
  --only   of the benchmark engines: ${Object.keys(ENGINES).join(', ')}
  --small  everything once with tiny sizes, to see that it works`;

const { values: options, positionals: chosen } = readArgs();
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const { small } = options;
const wanted = (name: string) => chosen.length === 0 || chosen.includes(name);

console.log(
  `graticule ${VERSION}, node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${arch()} ${release()}`,
);
if (wanted('replication'))
  await replication(small ? { single: 20, seconds: 0.3, rounds: 1 } : { single: 1000, seconds: 4, rounds: 3 });
if (wanted('engines'))
  await engines({
    ...(small
      ? { seconds: 0.1, rounds: 1, single: 20, replays: 1, replayed: 200 }
      : { seconds: 0.35, rounds: 7, single: 400, replays: 3, replayed: 10_000 }),
    only: options.only?.split(','),
  });
if (wanted('maps'))
  await maps(small ? { parcels: 2_000, requests: 30, rounds: 1 } : { parcels: 200_000, requests: 400, rounds: 3 });
if (wanted('scale'))
  await scale(
    small
      ? { layers: [30], writes: 3, changes: 200, propagation: { single: 5, seconds: 0.2, rounds: 1, nodes: 3 } }
      : {
          layers: [100, 10_000, 100_000],
          writes: 100,
          changes: 100_000,
          propagation: { single: 1000, seconds: 4, rounds: 1, nodes: 5 },
        },
  );
process.exit(0);

function readArgs() {
  try {
    const args = parseArgs({
      allowPositionals: true,
      options: {
        small: { type: 'boolean', default: false },
        only: { type: 'string' },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    });
    const unknown = [
      ...args.positionals.filter((name) => !BENCHMARKS.includes(name)),
      ...(args.values.only?.split(',').filter((name) => !(name in ENGINES)) ?? []),
    ];
    if (unknown.length > 0) throw new Error(`There is no ${unknown.join(', ')}.`);
    return args;
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}
