/**
 * A node's part in a fault loop: appends to the log on ActiveMQ for as long as it lives, tells its parent each acknowledged record,
 * and at the end all that it has read.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger, UnavailableError, UncertainError } from '../../base/index.ts';
import { START } from '../../tree/index.ts';
import { at } from '../contract/testing.ts';
import { openStompLog } from './index.ts';

/** To the child, in its first argument. */
export interface NodeTask {
  readonly url: string;
  readonly group: string;
  readonly name: string;
  readonly folder: string;
}

/** From the child. */
export type NodeMessage =
  | { readonly kind: 'took-role' }
  | { readonly kind: 'appended'; readonly position: number; readonly text: string }
  /** It appends no more. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'sequence'; readonly texts: readonly string[] };

const task = JSON.parse(process.argv[2]!) as NodeTask;
const tell = (message: NodeMessage) => process.send!(message);
const life = `${task.name}-${process.pid}`;

const server = createServer();
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver/cluster/log`;

const log = await openStompLog({
  ...task,
  exchange: { secret: 'of the tests', offer: { server, url } },
  heartbeatMs: 200,
  appendWaitMs: 3000,
  graceMs: 300,
  answerWaitMs: 3000,
  logger: { ...silentLogger, info: (event) => event === 'log-role-taken' && tell({ kind: 'took-role' }) },
});

const texts: string[] = [];
const reading = new AbortController();
void (async () => {
  for await (const batch of log.read(START, reading.signal))
    for (const { position, body } of batch) {
      if (position !== texts.length + 1) throw new Error(`record ${position} after ${texts.length}`);
      texts.push(Buffer.from(body).toString());
    }
})();

const asked: string[] = [];
process.on('message', (what: 'stop' | 'tell') => asked.push(what));

for (let n = 0; asked.length === 0; n++) {
  try {
    const text = `${life}-${n}`;
    const appended = await log.append(at(texts.length), Buffer.from(text));
    if (appended.kind === 'appended') tell({ kind: 'appended', position: appended.position, text });
    // What has come meanwhile has to be read first.
    else await sleep(1);
  } catch (error) {
    if (!(error instanceof UncertainError) && !(error instanceof UnavailableError)) throw error;
    await sleep(20);
  }
}

tell({ kind: 'stopped' });

for (let told = 1; ; ) {
  await sleep(20);
  const head = await log.head().catch(() => undefined);
  if (head !== texts.length || asked.length <= told) continue;
  told = asked.length;
  tell({ kind: 'sequence', texts });
}
