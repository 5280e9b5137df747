/** `npm run faults -- --minutes 10 [--seed N] [--nodes 5] [--clients 8]`: see README.md beside this file. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runWhereMountsAreAllowed } from './disk.ts';
import { ENGINES } from './engine.ts';
import { faultRun } from './fault-run.ts';
import { FAULT_KINDS, type FaultKind } from './nemesis.ts';
import { readYourWrites } from './read-your-writes.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    nodes: { type: 'string', default: '5' },
    clients: { type: 'string', default: '8' },
    engine: { type: 'string' },
    log: { type: 'string' },
    'broker-start': { type: 'string' },
    'broker-kill': { type: 'string' },
    only: { type: 'string' },
    'read-your-writes': { type: 'string' },
  },
});

function number(text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`${text}: a number from ${least} to ${most} is expected`);
  return value;
}

function engineOf(name: string): string {
  if (!ENGINES.includes(name)) throw new Error(`--engine ${name}: ${ENGINES.join(', ')} is expected`);
  return name;
}

async function main(): Promise<number> {
  const print = (line: string) => console.log(line);
  const nodes = number(values.nodes, 4, 20);
  const shared = {
    nodes,
    log: values.log ?? engineOf(values.engine ?? 'embedded'),
    brokerStart: values['broker-start'],
    brokerKill: values['broker-kill'],
    print,
  };
  if (values['read-your-writes'] !== undefined)
    return (await readYourWrites({ ...shared, pairs: number(values['read-your-writes'], 1, 1e7) })) ? 0 : 1;
  const elsewhere = await runWhereMountsAreAllowed();
  if (elsewhere !== undefined) return elsewhere;
  const kinds = values.only?.split(',').map((text): FaultKind => {
    const kind = FAULT_KINDS.find((each) => each === text);
    if (kind === undefined) throw new Error(`--only ${text}: ${FAULT_KINDS.join(', ')} is expected`);
    return kind;
  });
  const held = await faultRun({
    ...shared,
    seed: values.seed === undefined ? randomInt(1, 2 ** 31) : number(values.seed, 0, 2 ** 32 - 1),
    seconds: values.seconds === undefined ? number(values.minutes, 0.1, 10_000) * 60 : number(values.seconds, 5, 1e6),
    clients: number(values.clients, 1, 64),
    kinds,
  });
  return held ? 0 : 1;
}

process.setMaxListeners(0);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
process.exit(await main());
