import type { BrokerStatus } from '../log/index.ts';
import type { GroupView } from '../server/broker/index.ts';
import { activeBroker, anyBroker, groupPath } from './broker-connection.ts';
import type { BrokerConnectionOptions, BrokerPauseOptions, BrokerTrimOptions } from './broker-console-options.ts';
import { readJson } from './requests.ts';
import { styled } from './text.ts';

export async function pauseGroup(group: string, options: BrokerPauseOptions): Promise<void> {
  const { at } = await activeBroker(options);
  const { reason } = options;
  const { head, paused } = await readJson<GroupView>(at, groupPath(group, '/pause'), {
    method: 'POST',
    json: { reason },
  });
  console.log(
    `  ${styled('bold', group)} is paused at ${head}${paused?.reason ? ` (${paused.reason})` : ''}: nothing is appended until it is resumed.`,
  );
}

export async function resumeGroup(group: string, options: BrokerConnectionOptions): Promise<void> {
  const { at } = await activeBroker(options);
  const { head } = await readJson<GroupView>(at, groupPath(group, '/resume'), { method: 'POST', json: {} });
  console.log(`  ${styled('bold', group)} takes changes again, after ${head}.`);
}

export async function trimGroup(group: string, options: BrokerTrimOptions): Promise<void> {
  const { at } = await activeBroker(options);
  const { upTo } = options;
  const { trimmed, removed } = await readJson<{ trimmed: number; removed: number }>(at, groupPath(group, '/trim'), {
    method: 'POST',
    json: { upTo },
  });
  console.log(
    trimmed === 0
      ? `  ${styled('bold', group)} keeps all records: there is no snapshot that they could be trimmed to.`
      : `  ${styled('bold', group)} begins after ${trimmed} now: ${removed} ${removed === 1 ? 'record' : 'records'} removed.`,
  );
}

export async function disconnectNode(group: string, node: string, options: BrokerConnectionOptions): Promise<void> {
  const { at } = await activeBroker(options);
  const { connections } = await readJson<{ connections: number }>(at, groupPath(group, '/disconnect'), {
    method: 'POST',
    json: { node },
  });
  console.log(
    connections === 0
      ? `  ${styled('bold', node)} has no connection.`
      : `  ${connections} ${connections === 1 ? 'connection' : 'connections'} of ${styled('bold', node)} cut; it may come again.`,
  );
}

/** Any broker passes the wish on to the active one. */
export async function takeOver(to: string | undefined, options: BrokerConnectionOptions): Promise<void> {
  const { at } = await anyBroker(options);
  const { brokers, term } = await readJson<BrokerStatus>(at, '/broker/takeover', { method: 'POST', json: { to } });
  const active = brokers.find(({ state }) => state === 'active');
  console.log(
    active === undefined
      ? `  Handed over; no broker says yet that it is active.`
      : `  ${styled('bold', active.name)} is active, in term ${term}.`,
  );
}
