/**
 * `npm run bench [-- replication|maps ...] [-- --small]`: measures against peers in the same run and prints ratios.
 * `--small` runs everything once with tiny sizes, to see that it works.
 */
import { arch, cpus, release } from 'node:os';
import { VERSION } from '../src/base/index.ts';
import { maps } from './maps.ts';
import { replication } from './replication.ts';

const args = process.argv.slice(2);
const small = args.includes('--small');
const chosen = args.filter((arg) => !arg.startsWith('--'));
const wanted = (name: string) => chosen.length === 0 || chosen.includes(name);

console.log(
  `graticule ${VERSION}, node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${arch()} ${release()}`,
);
if (wanted('replication'))
  await replication(small ? { single: 20, seconds: 0.3, rounds: 1 } : { single: 1000, seconds: 4, rounds: 3 });
if (wanted('maps'))
  await maps(small ? { parcels: 2_000, requests: 30, rounds: 1 } : { parcels: 200_000, requests: 400, rounds: 3 });
process.exit(0);
