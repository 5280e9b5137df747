import { Anchor, Badge, Button, Group, SegmentedControl, Table, Text, Tooltip } from '@mantine/core';
import { useState } from 'react';
import type { GroupNode } from './api.ts';
import { stateOf } from './attention.ts';
import { FindInput } from './FindInput.tsx';
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

/** So many rows at first: each is drawn anew every two seconds. */
const ROWS_FIRST = 50;
/** With more nodes than this, people look for some. */
const FILTER_FROM = 10;

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
  const [text, setText] = useState('');
  const [state, setState] = useState(ALL);
  const [all, setAll] = useState(false);
  if (nodes.length === 0)
    return (
      <Text size="sm" c="dimmed">
        No node has connected since this broker became active.
      </Text>
    );
  const found = nodes.filter((node) => (state === ALL || stateOf(node) === state) && isLike(node, text));
  const rows = all ? found : found.slice(0, ROWS_FIRST);
  return (
    <>
      {nodes.length > FILTER_FROM && (
        <Group justify="space-between" gap="xs" mb="xs">
          <SegmentedControl
            size="xs"
            aria-label="Nodes in which state"
            className="scrolling"
            value={state}
            onChange={setState}
            data={statesIn(nodes, state)}
          />
          <FindInput label="Find a node" placeholder="name, address" value={text} onChange={setText} />
        </Group>
      )}
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
          {rows.map((node) => (
            <NodeRow key={node.name} node={node} head={head} disconnect={disconnect && (() => disconnect(node))} />
          ))}
        </Table.Tbody>
      </Table>
      {rows.length < found.length && (
        <Button size="compact-sm" variant="subtle" mt="xs" onClick={() => setAll(true)}>
          Show all {countText(found.length)}
        </Button>
      )}
      {found.length === 0 && (
        <Text size="sm" c="dimmed">
          No such node.
        </Text>
      )}
    </>
  );
}

const ALL = 'all';

/** How many nodes are in each state; the one that is chosen stays there when its last node leaves it. */
function statesIn(nodes: readonly GroupNode[], chosen: string) {
  const counts = new Map([[ALL, nodes.length]]);
  if (chosen !== ALL) counts.set(chosen, 0);
  for (const state of nodes.map(stateOf).sort()) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([value, count]) => ({ value, label: `${value} ${countText(count)}` }));
}

function isLike({ name, address, status }: GroupNode, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return [name, address, status?.url, status?.role].some((each) => each?.toLowerCase().includes(wanted));
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

function State({ node }: { node: GroupNode }) {
  const { connected, status } = node;
  const word = stateOf(node);
  if (status === undefined || !connected)
    return (
      <Badge color="gray" variant={connected ? 'light' : 'outline'} tt="none">
        {word}
      </Badge>
    );
  const since = `since ${new Date(status.since).toLocaleString()}`;
  return (
    <Tooltip label={status.reason ? `${status.reason}; ${since}` : since} multiline maw={420}>
      <Badge color={COLORS[word] ?? 'gray'} variant="light" tt="none" tabIndex={status.reason ? 0 : undefined}>
        {word}
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
