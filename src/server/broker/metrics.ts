import type { BrokerStatus, GroupStatus } from '../../log/index.ts';
import { Exposition, type Labels, type ProcessMetrics } from '../exposition.ts';
import { lagOf } from './lag.ts';

const STATES = ['starting', 'active', 'waiting', 'stopping'] as const;
/** Nodes of a group that have samples of their own. */
const NODES_MAX = 1_000;

type Family<Of> = readonly [name: string, help: string, value: (of: Of) => number | undefined];

const GROUP_GAUGES: readonly Family<GroupStatus>[] = [
  ['head', 'Position of the last record of a group.', ({ head }) => head],
  ['trimmed', 'Last position that is gone.', ({ trimmed }) => trimmed],
  ['records', 'Records that are retained.', ({ head, trimmed }) => head - trimmed],
  ['record_bytes', 'Bytes that the retained records take.', ({ recordBytes }) => recordBytes],
  ['blobs', 'Blobs that a group keeps.', ({ blobs }) => blobs.count],
  ['blob_bytes', 'Bytes of these blobs.', ({ blobs }) => blobs.bytes],
  ['snapshots', 'Snapshots that a group keeps.', ({ snapshots }) => snapshots.length],
  [
    'snapshot_bytes',
    'Bytes of these snapshots.',
    ({ snapshots }) => snapshots.reduce((sum, { size }) => sum + size, 0),
  ],
  [
    'newest_snapshot',
    'Position of the newest snapshot; 0 when there is none.',
    ({ snapshots }) => snapshots.at(-1)?.at ?? 0,
  ],
  ['paused', '1 when nothing is appended to a group, because it was paused.', ({ paused }) => (paused ? 1 : 0)],
  ['nodes_connected', 'Nodes that are connected.', ({ nodes }) => nodes.filter(({ connected }) => connected).length],
  ['appends_per_second', 'Records appended, in the last minute.', ({ rates }) => rates.appendsPerSecond],
  ['appended_bytes_per_second', 'Bytes appended, in the last minute.', ({ rates }) => rates.appendedBytesPerSecond],
  ['conflicts_per_second', 'Appends that came too late, in the last minute.', ({ rates }) => rates.conflictsPerSecond],
  ['read_records_per_second', 'Records sent to nodes, in the last minute.', ({ rates }) => rates.readRecordsPerSecond],
];

const GROUP_COUNTERS: readonly Family<GroupStatus>[] = [
  ['appends_total', 'Records appended since this broker became active.', ({ rates }) => rates.appends],
  ['appended_bytes_total', 'Bytes of these records.', ({ rates }) => rates.appendedBytes],
  ['conflicts_total', 'Appends that found another record at their place.', ({ rates }) => rates.conflicts],
  ['read_records_total', 'Records sent to nodes.', ({ rates }) => rates.readRecords],
];

interface Node {
  readonly node: GroupStatus['nodes'][number];
  readonly head: number;
}

const NODE_GAUGES: readonly Family<Node>[] = [
  ['connected', '1 when a node is connected.', ({ node }) => (node.connected ? 1 : 0)],
  ['position', 'Last record that it has applied, as it says.', ({ node }) => node.status?.position],
  ['lag_records', 'Records that it is behind.', ({ node, head }) => lagOf(node, head)],
  ['lag_seconds', 'How long it has not been in step, as it says.', ({ node }) => node.status?.lagSeconds],
  ['in_step', '1 when it is in step.', ({ node }) => node.status && (node.status.state === 'in-step' ? 1 : 0)],
  ['sent_position', 'Last record that was sent to it.', ({ node }) => node.sent],
];

/** @param groups  undefined on a broker that is not active: it knows none */
export function brokerMetrics(
  status: BrokerStatus,
  groups: readonly GroupStatus[] | undefined,
  ofProcess: ProcessMetrics,
): string {
  const out = new Exposition();
  out.family('graticule_broker_info', 'gauge', 'Version, name and store of this broker.');
  out.sample('graticule_broker_info', { version: status.version, broker: status.name, store: status.store.kind }, 1);
  out.family('graticule_broker_state', 'gauge', 'State of this broker: 1 for the one that it is in.');
  for (const state of STATES) out.sample('graticule_broker_state', { state }, status.state === state ? 1 : 0);
  out.gauge('graticule_broker_active', '1 on the broker that serves the logs.', status.state === 'active' ? 1 : 0);
  // A broker that waits knows only when it was active itself.
  if (status.state === 'active')
    out.gauge('graticule_broker_term', 'How often a broker on this store has become active.', status.term);
  out.gauge(
    'graticule_broker_state_since_seconds',
    'When the state began, since 1970.',
    Date.parse(status.since) / 1000,
  );
  const { bytes, disk } = status.room;
  if (bytes !== undefined) out.gauge('graticule_broker_store_bytes', 'Bytes that the store takes.', bytes);
  if (disk !== undefined) {
    out.gauge('graticule_broker_store_disk_free_bytes', 'Bytes that are left on its disk.', disk.freeBytes);
    out.gauge('graticule_broker_store_disk_bytes', 'Bytes of its disk.', disk.totalBytes);
  }
  out.family('graticule_brokers', 'gauge', 'Brokers on this store that were heard of in the last seconds, by state.');
  for (const state of STATES)
    out.sample('graticule_brokers', { state }, status.brokers.filter((broker) => broker.state === state).length);
  if (groups !== undefined) {
    const ofGroups = groups.map((group): [Labels, GroupStatus] => [{ group: group.group }, group]);
    write(out, 'graticule_broker_group_', 'gauge', GROUP_GAUGES, ofGroups);
    write(out, 'graticule_broker_group_', 'counter', GROUP_COUNTERS, ofGroups);
    const ofNodes = groups.flatMap(({ group, head, nodes }) =>
      nodes.slice(0, NODES_MAX).map((node): [Labels, Node] => [
        { group, node: node.name },
        { node, head },
      ]),
    );
    write(out, 'graticule_broker_node_', 'gauge', NODE_GAUGES, ofNodes);
  }
  ofProcess.write(out);
  return out.text;
}

function write<Of>(
  out: Exposition,
  prefix: string,
  type: 'gauge' | 'counter',
  families: readonly Family<Of>[],
  all: readonly (readonly [Labels, Of])[],
): void {
  for (const [name, help, measure] of families) {
    out.family(prefix + name, type, help);
    for (const [labels, of] of all) {
      const value = measure(of);
      if (value !== undefined) out.sample(prefix + name, labels, value);
    }
  }
}
