/** POST on one node, GET on another, over all ordered pairs of nodes: no answer may be older than what was just answered. */

import path from 'node:path';
import { Board } from './board.ts';
import { FaultCluster } from './cluster.ts';
import { RestConnections } from './http.ts';
import { markIn } from './ledger.ts';
import { sld } from './objects.ts';

export interface ReadYourWritesOptions {
  readonly pairs: number;
  readonly nodes: number;
  readonly log: string;
  readonly print: (line: string) => void;
}

/** Pairs that are under way at once. */
const AT_ONCE = 4;
const SLD_TYPE = 'application/vnd.ogc.sld+xml';

/** @returns whether every write was read */
export async function readYourWrites(options: ReadYourWritesOptions): Promise<boolean> {
  const { pairs, print } = options;
  const cluster = await FaultCluster.start({ ...options, diskMebibytes: 0, onTrouble: () => {} });
  const board = new Board(path.join(cluster.folder, 'history.jsonl'));
  const writers = cluster.nodes.filter((node) => node.role === 'both');
  const all = writers.flatMap((to) => cluster.nodes.filter((from) => from !== to).map((from) => ({ to, from })));
  const times: { write: number; read: number; both: number }[] = [];
  let next = 0;
  let missed = 0;
  const worker = async (number: number) => {
    const connections = new RestConnections();
    // Of each style that is made, the one before goes: the catalog stays small.
    let before: string | undefined;
    while (next < pairs && missed === 0) {
      const index = next++;
      const { to, from } = all[index % all.length]!;
      const mark = `k${number}x${index}z`;
      const startMs = performance.now();
      const asked = { method: 'POST', path: `/styles?name=${mark}`, body: sld(mark), type: SLD_TYPE } as const;
      const written = await connections.ask(to.url, asked);
      const writtenMs = performance.now();
      const read = await connections.ask(from.url, { method: 'GET', path: `/styles/${mark}.sld` });
      const endMs = performance.now();
      const isWritten = written.kind === 'answer' && written.status === 201;
      if (!isWritten || read.kind !== 'answer' || read.status !== 200 || markIn(read.body) !== mark) {
        missed++;
        print(`MISSED: ${mark}, POST on ${to.name}, GET on ${from.name}: ${text(written)}; ${text(read)}`);
      }
      times.push({ write: writtenMs - startMs, read: endMs - writtenMs, both: endMs - startMs });
      if (before !== undefined)
        await connections.ask(to.url, { method: 'DELETE', path: `/styles/${before}?purge=true` });
      before = mark;
      if (times.length % 1000 === 0) print(`${times.length} of ${pairs} pairs`);
    }
    connections.close();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => worker(i + 1)));
  board.flush();
  await cluster.end(missed > 0);
  const of = (pick: 'write' | 'read' | 'both') => {
    const sorted = times.map((each) => each[pick]).sort((a, b) => a - b);
    return `p50 ${sorted[Math.floor(sorted.length * 0.5)]!.toFixed(1)} ms, p99 ${sorted[Math.floor(sorted.length * 0.99)]!.toFixed(1)} ms`;
  };
  print(
    `read your own write: ${times.length} pairs over ${all.length} ordered pairs of ${cluster.nodes.length} nodes, ${AT_ONCE} at once: ${missed} missed`,
  );
  print(`POST and GET together: ${of('both')}; POST: ${of('write')}; GET on the other node: ${of('read')}`);
  return missed === 0;
}

function text(outcome: Awaited<ReturnType<RestConnections['ask']>>): string {
  return outcome.kind === 'answer' ? `${outcome.status} ${outcome.body.toString().slice(0, 200)}` : outcome.kind;
}
