/**
 * `npm run bench [-- replication|engines|maps|scale ...] [-- --small]`: measures against peers in the same run and prints ratios.
 * `--small` runs everything once with tiny sizes, to see that it works.
 */
import { arch, cpus, release } from 'node:os';
import { VERSION } from '../src/base/index.ts';
import { engines } from './engines.ts';
import { maps } from './maps.ts';
import { replication } from './replication.ts';
import { scale } from './scale.ts';

const args = process.argv.slice(2);
const small = args.includes('--small');
const chosen = args.filter((arg) => !arg.startsWith('--'));
const wanted = (name: string) => chosen.length === 0 || chosen.includes(name);

console.log(
  `graticule ${VERSION}, node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${arch()} ${release()}`,
);
if (wanted('replication'))
  await replication(small ? { single: 20, seconds: 0.3, rounds: 1 } : { single: 1000, seconds: 4, rounds: 3 });
if (wanted('engines'))
  await engines({
    ...(small ? { seconds: 0.1, rounds: 1, single: 20 } : { seconds: 1, rounds: 3, single: 500 }),
    only: args
      .find((arg) => arg.startsWith('--engines='))
      ?.slice('--engines='.length)
      .split(','),
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
