import { Alert, Badge, Button, Group, Paper, SegmentedControl, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { ask, type GroupNode, type GroupStatus, groupPath } from './api.ts';
import { Chart } from './Chart.tsx';
import { type Act, type Action, shellWord } from './Confirm.tsx';
import { ageText, bytesText, countText, rateText } from './format.ts';
import { Nodes } from './Nodes.tsx';
import type { Sample } from './polling.ts';
import { Records } from './Records.tsx';

/** One group: figures, charts, nodes, records, and what can be done to it. */
export function GroupPanel({
  group,
  samples,
  act,
}: {
  group: GroupStatus;
  samples: readonly Sample[];
  act: Act | undefined;
}) {
  const [view, setView] = useState<'nodes' | 'records'>('nodes');
  const { head, trimmed, paused, nodes, snapshots, blobs, recordBytes } = group;
  const connected = nodes.filter((node) => node.connected).length;
  const newest = snapshots.at(-1);
  const series = (of: (sample: Sample) => number) => samples.map((sample) => ({ at: sample.at, value: of(sample) }));
  return (
    <Stack gap="md" component="section" aria-label={`Group ${group.group}`}>
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Title order={2} size="h4">
            {group.group}
          </Title>
          {paused && (
            <Badge color="orange" tt="none">
              paused
            </Badge>
          )}
        </Group>
        {act && (
          <Group gap="xs">
            {paused ? (
              <Button size="xs" color="orange" onClick={() => act(resuming(group.group))}>
                Resume…
              </Button>
            ) : (
              <Button size="xs" variant="default" onClick={() => act(pausing(group.group))}>
                Pause…
              </Button>
            )}
            <Button
              size="xs"
              variant="default"
              disabled={newest === undefined || newest.at <= trimmed}
              title={newest === undefined ? 'Without a snapshot, all records are needed' : undefined}
              onClick={() => act(trimming(group))}
            >
              Trim…
            </Button>
          </Group>
        )}
      </Group>
      {paused && (
        <Alert color="orange" role="status" p="xs">
          Paused {ageText(paused.since)} ago by {paused.by}
          {paused.reason && `: ${paused.reason}`}. Nothing is appended; reading goes on.
        </Alert>
      )}
      <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
        <Figure title="Head" value={countText(head)} note="last position" />
        <Figure
          title="Retained"
          value={countText(head - trimmed)}
          note={head === trimmed ? 'no record' : `from ${countText(trimmed + 1)} on${sizeNote(recordBytes)}`}
        />
        <Figure
          title="Snapshots"
          value={countText(snapshots.length)}
          note={
            newest === undefined
              ? 'none yet, so nothing can be trimmed'
              : `newest at ${countText(newest.at)}, ${ageText(newest.storedAt)} ago, ${bytesText(newest.size)}`
          }
        />
        <Figure title="Large files" value={countText(blobs.count)} note={bytesText(blobs.bytes)} />
      </SimpleGrid>
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
        <Chart
          title="Records/s appended"
          points={series((sample) => sample.appendsPerSecond)}
          text={rateText}
          color="cyan"
        />
        <Chart
          title="Bytes/s appended"
          points={series((sample) => sample.bytesPerSecond)}
          text={bytesText}
          color="indigo"
        />
        <Chart
          title="Records/s sent to nodes"
          points={series((sample) => sample.readsPerSecond)}
          text={rateText}
          color="teal"
        />
        <Chart
          title="Slowest node, behind"
          points={series((sample) => sample.lag)}
          text={(value) => countText(Math.round(value))}
          color="orange"
        />
      </SimpleGrid>
      <Paper withBorder p="sm">
        <SegmentedControl
          size="xs"
          mb="sm"
          aria-label="What to show of the group"
          value={view}
          onChange={(next) => setView(next as 'nodes' | 'records')}
          data={[
            { value: 'nodes', label: `Nodes: ${connected}${connected < nodes.length ? ` of ${nodes.length}` : ''}` },
            { value: 'records', label: 'Records' },
          ]}
        />
        {view === 'nodes' ? (
          <Nodes nodes={nodes} head={head} disconnect={act && ((node) => act(disconnecting(group.group, node)))} />
        ) : (
          <Records group={group.group} head={head} trimmed={trimmed} />
        )}
      </Paper>
    </Stack>
  );
}

function sizeNote(bytes: number | undefined): string {
  return bytes === undefined ? '' : `, ${bytesText(bytes)}`;
}

function Figure({ title, value, note }: { title: string; value: string; note: string }) {
  return (
    <Paper withBorder p="xs" aria-label={title} role="group">
      <Text size="xs" c="dimmed">
        {title}
      </Text>
      <Text size="xl" fw={600} className="figures">
        {value}
      </Text>
      <Text size="xs" c="dimmed">
        {note}
      </Text>
    </Paper>
  );
}

function pausing(group: string): Action {
  return {
    title: `Pause ${group}`,
    effect:
      'From now on, nothing is appended: every change on any node is refused with what you write here, until the group is resumed. Maps are served as before, and nodes still read.',
    verb: 'Pause',
    color: 'orange',
    input: { label: 'Why', placeholder: 'moving the database until 14:00' },
    command: (reason) => `pause ${shellWord(group)}${reason ? ` --reason ${shellWord(reason)}` : ''}`,
    run: async (reason) => {
      await ask(groupPath(group, '/pause'), { method: 'POST', json: reason ? { reason } : {} });
      return `${group} is paused.`;
    },
  };
}

function resuming(group: string): Action {
  return {
    title: `Resume ${group}`,
    effect: 'Changes are accepted again from now on.',
    verb: 'Resume',
    command: () => `resume ${shellWord(group)}`,
    run: async () => {
      await ask(groupPath(group, '/resume'), { method: 'POST', json: {} });
      return `${group} takes changes again.`;
    },
  };
}

function trimming({ group, snapshots, trimmed, nodes }: GroupStatus): Action {
  const newest = snapshots.at(-1)?.at ?? 0;
  const behind = nodes.filter((node) => node.status !== undefined && node.status.position < newest);
  return {
    title: `Trim ${group}`,
    effect: `The ${countText(newest - trimmed)} records up to ${countText(newest)} are removed for good, and the snapshots before it. History, and taking changes back, reach no further than that. ${
      behind.length === 0
        ? 'Every node heard of is past it.'
        : `Behind it: ${behind.map(({ name }) => name).join(', ')}; these take the snapshot as a whole.`
    }`,
    verb: 'Trim',
    color: 'red',
    command: () => `trim ${shellWord(group)}`,
    run: async () => {
      const answer = await ask<{ trimmed: number; removed: number }>(groupPath(group, '/trim'), {
        method: 'POST',
        json: { upTo: newest },
      });
      return `${group} begins after ${countText(answer.trimmed)} now: ${countText(answer.removed)} ${answer.removed === 1 ? 'record' : 'records'} removed.`;
    },
  };
}

function disconnecting(group: string, node: GroupNode): Action {
  return {
    title: `Disconnect ${node.name}`,
    effect: 'Its connections are cut. It may come again at once, and goes on where it was.',
    verb: 'Disconnect',
    color: 'orange',
    command: () => `disconnect ${shellWord(group)} ${shellWord(node.name)}`,
    run: async () => {
      const { connections } = await ask<{ connections: number }>(groupPath(group, '/disconnect'), {
        method: 'POST',
        json: { node: node.name },
      });
      return connections === 0
        ? `${node.name} had no connection.`
        : `${countText(connections)} ${connections === 1 ? 'connection' : 'connections'} of ${node.name} cut.`;
    },
  };
}
