import { Anchor, Badge, Card, Group, ScrollArea, Text, Tooltip } from '@mantine/core';
import type { NodeSummary } from './overview.ts';

const COLORS: Readonly<Record<string, string>> = {
  'in-step': 'teal',
  behind: 'yellow',
  starting: 'gray',
  stale: 'orange',
  stopped: 'red',
  paused: 'gray',
};

/** One card a node: its role, its state, how far it is, and whether its tree equals the others' at that position. */
export function Nodes({ nodes, here }: { nodes: readonly NodeSummary[]; here: string }) {
  return (
    <ScrollArea type="auto" offsetScrollbars="x">
      <Group gap="sm" wrap="nowrap" component="section" aria-label="Nodes of the cluster">
        {nodes.map((node) => (
          <Card key={node.name} withBorder padding="sm" miw={230} aria-label={`Node ${node.name}`}>
            <Group justify="space-between" gap="xs" wrap="nowrap">
              <Text fw={600}>
                {node.name}
                {node.name === here && (
                  <Text span size="xs" c="dimmed">
                    {' '}
                    · this one
                  </Text>
                )}
              </Text>
              <Badge color={COLORS[node.state] ?? 'gray'} variant="light" tt="none">
                {node.state}
              </Badge>
            </Group>
            <Anchor size="xs" href={`${node.url}/`}>
              {node.url}
            </Anchor>
            <Group gap="xs" mt={6}>
              <Badge size="sm" variant="default" tt="none">
                {node.role === 'both' ? 'primary + replica' : node.role}
              </Badge>
              <Text size="xs">position {node.position}</Text>
              {node.lag > 0 && (
                <Text size="xs" c="orange">
                  {node.lag} behind
                </Text>
              )}
              <Tooltip label={`Digest of its data directory: ${node.digest}`} multiline maw={360}>
                <Text size="xs" c="dimmed" ff="monospace">
                  {node.digest.slice(0, 8)}
                </Text>
              </Tooltip>
            </Group>
          </Card>
        ))}
      </Group>
    </ScrollArea>
  );
}
