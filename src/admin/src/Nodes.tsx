import { Anchor, Badge, Card, Group, Menu, ScrollArea, Text, Tooltip, UnstyledButton } from '@mantine/core';
import type { NodeSummary } from './overview.ts';

const COLORS: Readonly<Record<string, string>> = {
  'in-step': 'teal',
  behind: 'yellow',
  starting: 'gray',
  stale: 'orange',
  stopped: 'red',
  paused: 'gray',
};

const ROLES: Readonly<Record<NodeSummary['role'], string>> = {
  both: 'primary + replica',
  replica: 'replica',
  paused: 'paused',
};

/**
 * One card a node: its role, its state and why, how far it is, and the digest of its tree, equal for nodes at one position.
 *
 * @param setRole  gives this node another role; absent when nobody is signed in
 */
export function Nodes({
  nodes,
  here,
  setRole,
}: {
  nodes: readonly NodeSummary[];
  here: string;
  setRole?: ((role: NodeSummary['role']) => void) | undefined;
}) {
  return (
    <ScrollArea type="auto" offsetScrollbars="x">
      <Group gap="sm" wrap="nowrap" align="stretch" component="section" aria-label="Nodes of the cluster">
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
              <Tooltip
                label={`${node.reason ? `${node.reason}; ` : ''}since ${new Date(node.since).toLocaleString()}`}
                multiline
                maw={420}
              >
                <Badge color={COLORS[node.state] ?? 'gray'} variant="light" tt="none">
                  {node.state}
                </Badge>
              </Tooltip>
            </Group>
            <Anchor size="xs" href={`${node.url}/`}>
              {node.url}
            </Anchor>
            <Group gap="xs" mt={6}>
              <Role node={node} setRole={node.name === here ? setRole : undefined} />
              <Text size="xs">position {node.position}</Text>
              {node.lag > 0 && (
                <Text size="xs" c="orange">
                  {node.lag} behind, {Math.round(node.lagSeconds)} s
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

function Role({ node, setRole }: { node: NodeSummary; setRole?: ((role: NodeSummary['role']) => void) | undefined }) {
  const badge = (
    <Badge size="sm" variant="default" tt="none">
      {ROLES[node.role]}
      {node.readOnly && ', read-only'}
      {setRole && ' ▾'}
    </Badge>
  );
  if (setRole === undefined) return badge;
  return (
    <Menu>
      <Menu.Target>
        <UnstyledButton aria-label={`Role of node ${node.name}`}>{badge}</UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>What this node does</Menu.Label>
        {(['both', 'replica', 'paused'] as const).map((role) => (
          <Menu.Item key={role} disabled={role === node.role} onClick={() => setRole(role)}>
            {ROLES[role]}
            <Text size="xs" c="dimmed">
              {MEANINGS[role]}
            </Text>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

const MEANINGS: Readonly<Record<NodeSummary['role'], string>> = {
  both: 'takes changes, and follows the others’',
  replica: 'follows; takes no changes',
  paused: 'serves what it has, until it is given another role',
};
