import { Anchor, Badge, Button, Table, Text, Tooltip } from '@mantine/core';
import type { GroupNode } from './api.ts';
import { addressText, ageText, countText } from './format.ts';

const COLORS: Readonly<Record<string, string>> = {
  'in-step': 'teal',
  behind: 'yellow',
  starting: 'gray',
  stale: 'orange',
  stopped: 'red',
  paused: 'gray',
};

const ROLES: Readonly<Record<'both' | 'replica' | 'paused', string>> = {
  both: 'primary + replica',
  replica: 'replica',
  paused: 'paused',
};

/** The nodes of a group, as the broker sees them. */
export function Nodes({
  nodes,
  head,
  disconnect,
}: {
  nodes: readonly GroupNode[];
  head: number;
  /** Absent for those who may not. */
  disconnect: ((node: GroupNode) => void) | undefined;
}) {
  if (nodes.length === 0)
    return (
      <Text size="sm" c="dimmed">
        No node has connected since this broker became active.
      </Text>
    );
  return (
    <Table className="stacking" verticalSpacing={6} aria-label="Nodes">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Node</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Position</Table.Th>
          <Table.Th>Behind</Table.Th>
          <Table.Th>Connection</Table.Th>
          <Table.Th>Role, version</Table.Th>
          <Table.Th aria-label="Actions" />
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {nodes.map((node) => (
          <NodeRow key={node.name} node={node} head={head} disconnect={disconnect && (() => disconnect(node))} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function NodeRow({ node, head, disconnect }: { node: GroupNode; head: number; disconnect: (() => void) | undefined }) {
  const { name, connected, address, since, status, lag = 0 } = node;
  return (
    <Table.Tr aria-label={`Node ${name}`} data-connected={connected}>
      <Table.Td className="stacking-head">
        <Text size="sm" fw={600}>
          {name}
        </Text>
        {status && (
          <Anchor size="xs" href={`${status.url}/`} className="cut">
            {status.url}
          </Anchor>
        )}
      </Table.Td>
      <Table.Td data-label="State">
        <State node={node} />
      </Table.Td>
      <Table.Td data-label="Position" className="figures">
        {status ? countText(status.position) : '–'}
        {status && (
          <Tooltip label={`Digest of its data directory: ${status.digest || 'not known yet'}`} multiline maw={360}>
            <Text span size="xs" c="dimmed" ff="monospace" ml={6}>
              {status.digest.slice(0, 8)}
            </Text>
          </Tooltip>
        )}
      </Table.Td>
      <Table.Td data-label="Behind" className="figures">
        {status === undefined || (lag === 0 && connected) ? (
          <Text span size="sm" c="dimmed">
            {status === undefined ? '–' : '0'}
          </Text>
        ) : (
          <Lag lag={lag} seconds={status.lagSeconds} head={head} />
        )}
      </Table.Td>
      <Table.Td data-label="Connection">
        {connected ? (
          <>
            <Text span size="sm">
              {address ? addressText(address) : 'connected'}
            </Text>
            <Text span size="xs" c="dimmed">
              {' '}
              for {ageText(since)}
            </Text>
          </>
        ) : (
          <Text span size="sm" c="dimmed">
            gone for {ageText(since)}
          </Text>
        )}
      </Table.Td>
      <Table.Td data-label="Role, version">
        {status && (
          <Text span size="sm">
            {ROLES[status.role]}
            {status.readOnly && ', read-only'}
            <Text span size="xs" c="dimmed">
              {' '}
              {status.version}
            </Text>
          </Text>
        )}
      </Table.Td>
      <Table.Td className="stacking-actions">
        {connected && disconnect && (
          <Button size="compact-xs" variant="default" onClick={disconnect}>
            Disconnect…
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function State({ node: { connected, status } }: { node: GroupNode }) {
  if (status === undefined || !connected)
    return (
      <Badge color="gray" variant={connected ? 'light' : 'outline'} tt="none">
        {connected ? 'connected' : 'gone'}
      </Badge>
    );
  const since = `since ${new Date(status.since).toLocaleString()}`;
  return (
    <Tooltip label={status.reason ? `${status.reason}; ${since}` : since} multiline maw={420}>
      <Badge color={COLORS[status.state] ?? 'gray'} variant="light" tt="none" tabIndex={status.reason ? 0 : undefined}>
        {status.state}
      </Badge>
    </Tooltip>
  );
}

/** How far behind, in records and seconds, and as a part of the log. */
function Lag({ lag, seconds, head }: { lag: number; seconds: number; head: number }) {
  return (
    <>
      <Text span size="sm" c={lag > 0 ? 'orange' : undefined}>
        {countText(lag)}
      </Text>
      {seconds > 0 && (
        <Text span size="xs" c="dimmed">
          {' '}
          for {Math.round(seconds)} s
        </Text>
      )}
      <div className="lag" aria-hidden="true">
        <div style={{ width: `${head === 0 ? 0 : Math.max(2, (lag / head) * 100)}%` }} />
      </div>
    </>
  );
}
