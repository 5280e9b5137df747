import { setTimeout } from 'node:timers/promises';
import { UnavailableError } from '../base/index.ts';
import type { BrokerState, BrokerStatus } from '../log/index.ts';
import type { GroupView, NodeView } from '../server/broker/index.ts';
import { activeBroker, anyBroker, type FoundBroker, groupPath } from './broker-connection.ts';
import type { BrokerConnectionOptions, BrokerStatusOptions } from './broker-console-options.ts';
import { addressText } from './log.ts';
import { readJson } from './requests.ts';
import { ageOf, CLEAR_SCREEN, coloredState } from './status.ts';
import { styled, table } from './text.ts';

/** All that the brokers of a store say of themselves. */
export interface BrokerReport extends BrokerStatus {
  /** Absent while no broker is active, or while it cannot be reached: `problem` says which. */
  readonly groups?: readonly GroupView[];
  readonly problem?: string;
}

const WATCH_MS = 1_000;

/** Prints the brokers of a store, their groups and nodes. The exit code is 2 when no broker is active. */
export async function brokerStatus(options: BrokerStatusOptions): Promise<void> {
  let report = await brokerReport(options);
  if (!options.watch) {
    console.log(options.json ? JSON.stringify(report, undefined, 2) : reportText(report));
    process.exitCode = report.groups === undefined ? 2 : 0;
    return;
  }
  let problem: string | undefined;
  for (;;) {
    if (options.json)
      console.log(JSON.stringify({ at: new Date().toISOString(), ...(problem ? { problem } : report) }));
    else {
      const text = problem === undefined ? reportText(report) : `  ${styled('red', problem)}\n\n${reportText(report)}`;
      if (process.stdout.isTTY) process.stdout.write(`${CLEAR_SCREEN}${text}\n`);
      else console.log(`${new Date().toISOString()}\n${text}\n`);
    }
    await setTimeout(WATCH_MS);
    try {
      // Whoever was heard of may have taken over.
      const url = [...new Set([...options.url, ...report.brokers.map((broker) => broker.url)])];
      report = await brokerReport({ ...options, url });
      problem = undefined;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      problem = error.message;
    }
  }
}

/** Prints the groups, or one with its nodes and snapshots. */
export async function brokerGroups(group: string | undefined, options: BrokerStatusOptions): Promise<void> {
  const { at } = await activeBroker(options);
  if (group === undefined) {
    const { groups } = await readJson<{ groups: GroupView[] }>(at, '/broker/groups');
    console.log(options.json ? JSON.stringify(groups, undefined, 2) : groupsTable(groups));
    return;
  }
  const one = await readJson<GroupView>(at, groupPath(group));
  console.log(options.json ? JSON.stringify(one, undefined, 2) : groupText(one));
}

async function brokerReport(options: BrokerConnectionOptions): Promise<BrokerReport> {
  let found: FoundBroker;
  try {
    found = await activeBroker(options);
    const { groups } = await readJson<{ groups: GroupView[] }>(found.at, '/broker/groups');
    return { ...found.status, groups };
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return { ...(await anyBroker(options)).status, problem: error.message };
  }
}

function reportText({ groups, problem, ...status }: BrokerReport): string {
  const lines = [brokersTable(status), ''];
  const { kind, place } = status.store;
  const { bytes, disk, warning } = status.room;
  const room = [
    ...(bytes === undefined ? [] : [bytesText(bytes)]),
    ...(disk === undefined ? [] : [`${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)} free`]),
  ].map((text) => `, ${text}`);
  lines.push(
    `  Store: ${kind} ${place}${room.join('')}${status.state === 'active' ? `; term ${status.term}` : ''}`,
    '',
  );
  if (warning !== undefined) lines.push(`  ${styled('yellow', capitalized(warning))}`, '');
  if (groups === undefined) lines.push(`  ${styled('red', problem ?? 'No broker is active.')}`);
  else if (groups.length === 0) lines.push('  No group yet: the first node that connects makes one.');
  else {
    lines.push(groupsTable(groups));
    for (const group of groups) {
      if (group.paused) lines.push('', `  ${styled('yellow', group.group)}: ${pauseText(group.paused)}`);
    }
    const nodes = groups.flatMap((group) => group.nodes.map((node) => ({ group: group.group, node })));
    const listed = nodes.length > NODES_LISTED_MAX ? nodes.filter(({ node }) => !isWell(node)) : nodes;
    if (listed.length > 0) lines.push('', nodesTable(listed), ...reasonLines(listed));
    if (listed.length < nodes.length)
      lines.push(
        '',
        `  Not listed: ${nodes.length - listed.length} nodes that are in step (graticule broker groups GROUP).`,
      );
  }
  return lines.join('\n');
}

/** Beyond this, those that are well are counted only. */
const NODES_LISTED_MAX = 50;

function isWell({ connected, status }: NodeView): boolean {
  return connected && status?.state === 'in-step';
}

const STATE_STYLES = { active: 'green', waiting: 'cyan', starting: 'yellow', stopping: 'yellow' } as const;

function brokersTable({ brokers }: BrokerStatus): string {
  const colored = (state: BrokerState) => styled(STATE_STYLES[state], state);
  return table([
    ['BROKER', 'STATE', 'SINCE', 'VERSION', 'NODES CONNECT TO', 'CONSOLE'],
    ...brokers.map(({ name, state, since, version, logUrl, url }) => [
      styled('bold', name),
      colored(state),
      ageOf(since),
      version,
      logUrl,
      url,
    ]),
  ]);
}

function groupsTable(groups: readonly GroupView[]): string {
  return table([
    ['GROUP', 'HEAD', 'RETAINED FROM', 'BYTES', 'SNAPSHOTS', 'FILES', 'NODES', 'APPENDS/S', 'STATE'],
    ...groups.map(({ group, head, trimmed, recordBytes, snapshots, blobs, nodes, rates, paused }) => [
      styled('bold', group),
      String(head),
      head === trimmed ? '-' : String(trimmed + 1),
      recordBytes === undefined ? '-' : bytesText(recordBytes),
      snapshots.length === 0 ? '0' : `${snapshots.length} (at ${snapshots.at(-1)!.at})`,
      blobs.count === 0 ? '0' : `${blobs.count} (${bytesText(blobs.bytes)})`,
      String(nodes.filter(({ connected }) => connected).length),
      rates.appendsPerSecond.toFixed(1),
      paused ? styled('yellow', 'paused') : 'open',
    ]),
  ]);
}

interface NodeOfGroup {
  readonly group: string;
  readonly node: NodeView;
}

function nodesTable(nodes: readonly NodeOfGroup[]): string {
  return table([
    ['GROUP', 'NODE', 'STATE', 'POSITION', 'LAG', 'ADDRESS', 'SINCE', 'ROLE', 'VERSION'],
    ...nodes.map(({ group, node: { name, connected, address, since, lag, status } }) => [
      group,
      styled('bold', name),
      connected ? (status ? coloredState(status.state) : 'connected') : styled('dim', 'gone'),
      status ? String(status.position) : '-',
      lag === undefined
        ? '-'
        : lag === 0 || !status || !connected
          ? String(lag)
          : `${lag} (${Math.round(status.lagSeconds)} s)`,
      connected && address ? addressText(address) : '-',
      ageOf(since),
      status?.role ?? '-',
      status?.version ?? '-',
    ]),
  ]);
}

/** Why nodes are as they are. */
function reasonLines(nodes: readonly NodeOfGroup[]): string[] {
  const lines = nodes
    .filter(({ node: { connected, status } }) => connected && status?.reason)
    .map(({ group, node: { name, status } }) => `  ${group}, ${styled('bold', name)}: ${status!.reason}`);
  return lines.length === 0 ? [] : ['', ...lines];
}

function groupText(group: GroupView): string {
  const lines = [groupsTable([group])];
  if (group.paused) lines.push('', `  ${styled('yellow', 'Paused')}: ${pauseText(group.paused)}`);
  if (group.nodes.length > 0) {
    const nodes = group.nodes.map((node) => ({ group: group.group, node }));
    lines.push('', nodesTable(nodes), ...reasonLines(nodes));
  }
  if (group.snapshots.length > 0)
    lines.push(
      '',
      table([
        ['SNAPSHOT', 'BYTES', 'AGE'],
        ...group.snapshots.map(({ at, size, storedAt }) => [String(at), bytesText(size), ageOf(storedAt)]),
      ]),
    );
  return lines.join('\n');
}

function pauseText({ since, by, reason }: NonNullable<GroupView['paused']>): string {
  return `nothing is appended for ${ageOf(since)} now; ${by}${reason ? `: ${reason}` : ''}`;
}

function capitalized(text: string): string {
  return text.replace(/^./, (first) => first.toUpperCase());
}

/** `1.4 GB`: powers of 1024. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`;
}
