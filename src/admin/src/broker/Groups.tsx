import { Anchor, Badge, Group, Paper, Table, Tabs, Text, UnstyledButton } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import type { GroupStatus } from './api.ts';
import { type Concern, concernsOf, slowestLag, urgencyOf } from './attention.ts';
import { FindInput } from './FindInput.tsx';
import { bytesText, countText, rateText } from './format.ts';
import { useHash } from './hash.ts';

/** More groups than tabs are good for. */
const TABS_MAX = 8;

/** Lets people choose a group, by tabs or in a table; the page's address names the one that is open. */
export function Groups({
  groups,
  children,
}: {
  groups: readonly GroupStatus[];
  children(group: GroupStatus): ReactNode;
}) {
  const [hash, setHash] = useHash();
  const chosen = groups.find((each) => each.group === hash);
  if (groups.length <= TABS_MAX)
    return (
      <GroupTabs groups={groups} group={chosen ?? groups[0]!} choose={setHash}>
        {children}
      </GroupTabs>
    );
  if (chosen === undefined) return <GroupTable groups={groups} choose={setHash} />;
  return (
    <div>
      <Anchor component="button" size="sm" mb="xs" onClick={() => setHash('')}>
        ← All {countText(groups.length)} groups
      </Anchor>
      {children(chosen)}
    </div>
  );
}

function GroupTabs({
  groups,
  group,
  choose,
  children,
}: {
  groups: readonly GroupStatus[];
  group: GroupStatus;
  choose(group: string): void;
  children(group: GroupStatus): ReactNode;
}) {
  return (
    <Tabs value={group.group} onChange={(name) => name !== null && choose(name)} keepMounted={false}>
      <Tabs.List mb="md" display={groups.length === 1 ? 'none' : undefined}>
        {groups.map((each) => {
          const [worst] = concernsOf(each);
          return (
            <Tabs.Tab key={each.group} value={each.group} rightSection={worst && <Concerns of={[worst]} />}>
              {each.group}
            </Tabs.Tab>
          );
        })}
      </Tabs.List>
      <Tabs.Panel value={group.group}>{children(group)}</Tabs.Panel>
    </Tabs>
  );
}

/** Those that somebody should look at first, then by name. */
function GroupTable({ groups, choose }: { groups: readonly GroupStatus[]; choose(group: string): void }) {
  const [filter, setFilter] = useState('');
  const wanted = filter.trim().toLowerCase();
  const rows = groups
    .map((group) => ({ group, concerns: concernsOf(group) }))
    .filter(({ group: { group } }) => group.toLowerCase().includes(wanted))
    .sort((a, b) => urgencyOf(b.concerns) - urgencyOf(a.concerns));
  return (
    <Paper withBorder p="sm" component="section" aria-label="Groups">
      <Group justify="space-between" gap="xs" mb="xs">
        <Text size="sm" fw={600}>
          {countText(groups.length)} groups
        </Text>
        <FindInput label="Find a group" placeholder="find a group" value={filter} onChange={setFilter} />
      </Group>
      <Table className="stacking" verticalSpacing={4} aria-label="Groups">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Group</Table.Th>
            <Table.Th>Needs a look</Table.Th>
            <Table.Th>Nodes</Table.Th>
            <Table.Th>Slowest, behind</Table.Th>
            <Table.Th>Head</Table.Th>
            <Table.Th>Appended/s</Table.Th>
            <Table.Th>Records take</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ group, concerns }) => (
            <GroupRow key={group.group} group={group} concerns={concerns} open={() => choose(group.group)} />
          ))}
        </Table.Tbody>
      </Table>
      {rows.length === 0 && (
        <Text size="sm" c="dimmed">
          No group has “{filter.trim()}” in its name.
        </Text>
      )}
    </Paper>
  );
}

function GroupRow({
  group: { group, nodes, head, rates, recordBytes },
  concerns,
  open,
}: {
  group: GroupStatus;
  concerns: readonly Concern[];
  open(): void;
}) {
  const connected = nodes.filter((node) => node.connected).length;
  return (
    <Table.Tr onClick={open} className="openable">
      <Table.Td className="stacking-head">
        <UnstyledButton
          className="opener"
          fw={600}
          fz="sm"
          onClick={(event) => {
            event.stopPropagation();
            open();
          }}
        >
          {group}
        </UnstyledButton>
      </Table.Td>
      <Table.Td data-label={concerns.length > 0 ? 'Needs a look' : undefined}>
        <Concerns of={concerns} />
      </Table.Td>
      <Table.Td data-label="Nodes" className="figures">
        {countText(connected)}
        {connected < nodes.length && ` of ${countText(nodes.length)}`}
      </Table.Td>
      <Table.Td data-label="Behind" className="figures">
        {countText(slowestLag(nodes))}
      </Table.Td>
      <Table.Td data-label="Head" className="figures wide">
        {countText(head)}
      </Table.Td>
      <Table.Td data-label="Appended/s" className="figures wide">
        {rateText(rates.appendsPerSecond)}
      </Table.Td>
      <Table.Td data-label="Records take" className="figures wide">
        {recordBytes === undefined ? '–' : bytesText(recordBytes)}
      </Table.Td>
    </Table.Tr>
  );
}

function Concerns({ of }: { of: readonly Concern[] }) {
  if (of.length === 0) return null;
  return (
    <Group gap={4} wrap="wrap" component="span">
      {of.map(({ text, color }) => (
        <Badge key={text} size="xs" color={color} variant="light" tt="none">
          {text}
        </Badge>
      ))}
    </Group>
  );
}
