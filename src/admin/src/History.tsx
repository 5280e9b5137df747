import {
  Alert,
  Badge,
  Button,
  Checkbox,
  Group,
  Loader,
  Modal,
  ScrollArea,
  Stack,
  Table,
  Text,
  TextInput,
} from '@mantine/core';
import { useCallback, useEffect, useState } from 'react';
import { Diff } from './Diff.tsx';
import { type Change, type Conflict, changesOf, diffOf, refusalOf, revert, type Target } from './history.ts';
import type { Session } from './session.ts';

/** Who changed what, when, and from where; what each change did to the files; and how to take it back. */
export function History({ session, position }: { session: Session; position: number }) {
  const [filter, setFilter] = useState({ path: '', by: '' });
  const [changes, setChanges] = useState<readonly Change[]>();
  const [next, setNext] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const [chosen, setChosen] = useState<Change>();
  const [target, setTarget] = useState<Target>();

  const load = useCallback(
    async (before: string | undefined, known: readonly Change[]) => {
      try {
        const list = await changesOf(session, { ...filter, before });
        setChanges([...known, ...list.changes]);
        setNext(list.next);
        setProblem(undefined);
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
      }
    },
    [session, filter],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new position means a new change at the top
  useEffect(() => {
    const timer = setTimeout(() => load(undefined, []), 150);
    return () => clearTimeout(timer);
  }, [load, position]);

  return (
    <div className="history">
      <section className="changes" aria-label="Changes">
        <Group gap="xs" mb="xs" wrap="nowrap">
          <TextInput
            aria-label="Only below this path"
            placeholder="below workspaces/topp"
            value={filter.path}
            onChange={(event) => setFilter({ ...filter, path: event.currentTarget.value })}
          />
          <TextInput
            aria-label="Only by this user"
            placeholder="by user"
            value={filter.by}
            onChange={(event) => setFilter({ ...filter, by: event.currentTarget.value })}
          />
        </Group>
        {problem && (
          <Alert color="red" role="alert">
            {problem}
          </Alert>
        )}
        {!changes && !problem && <Loader aria-label="Loading" />}
        {changes && (
          <ScrollArea type="auto" style={{ flex: 1 }}>
            <Table highlightOnHover stickyHeader verticalSpacing={6}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>No.</Table.Th>
                  <Table.Th>When</Table.Th>
                  <Table.Th>Who</Table.Th>
                  <Table.Th>What</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {changes.map((change) => (
                  <Table.Tr
                    key={change.ref}
                    bg={change.ref === chosen?.ref ? 'var(--mantine-primary-color-light)' : undefined}
                    style={{ cursor: 'pointer' }}
                    tabIndex={0}
                    onClick={() => setChosen(change)}
                    onKeyDown={(event) => event.key === 'Enter' && setChosen(change)}
                  >
                    <Table.Td>{change.ref}</Table.Td>
                    <Table.Td style={{ whiteSpace: 'nowrap' }}>{timeOf(change.at)}</Table.Td>
                    <Table.Td>
                      {change.by}
                      <Text size="xs" c="dimmed">
                        {[change.address, change.node && `at ${change.node}`].filter(Boolean).join(' ')}
                      </Text>
                    </Table.Td>
                    <Table.Td style={{ overflowWrap: 'anywhere' }}>{change.why}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            {changes.length === 0 && (
              <Text size="sm" c="dimmed" p="sm">
                No change that the log still holds matches.
              </Text>
            )}
            {next && (
              <Button variant="subtle" onClick={() => load(next, changes)}>
                Older
              </Button>
            )}
          </ScrollArea>
        )}
      </section>
      <section className="change" aria-label="The chosen change">
        {chosen ? (
          <Details key={chosen.ref} session={session} change={chosen} onRevert={setTarget} />
        ) : (
          <Text size="sm" c="dimmed">
            Choose a change to see what it did.
          </Text>
        )}
      </section>
      {target && <Revert session={session} target={target} onClose={() => setTarget(undefined)} />}
    </div>
  );
}

function Details({ session, change, onRevert }: { session: Session; change: Change; onRevert(target: Target): void }) {
  const [diff, setDiff] = useState<string>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    diffOf(session, change.ref).then(setDiff, (error) => setProblem(String(error.message)));
  }, [session, change.ref]);
  return (
    <Stack gap="sm" h="100%" style={{ minHeight: 0 }}>
      <Group justify="space-between">
        <Group gap="xs">
          <Text fw={600}>{change.why}</Text>
          <Badge variant="default" tt="none">
            {change.by}
          </Badge>
          <Text size="sm" c="dimmed">
            {new Date(change.at).toLocaleString()}
          </Text>
        </Group>
        {change.kind === 'change' && (
          <Group gap="xs">
            <Button size="xs" variant="default" onClick={() => onRevert({ kind: 'change', ref: change.ref })}>
              Take this change back…
            </Button>
            <Button size="xs" variant="default" onClick={() => onRevert({ kind: 'to', position: change.position })}>
              Back to how it was then…
            </Button>
          </Group>
        )}
      </Group>
      {problem && <Alert color="red">{problem}</Alert>}
      {diff === undefined && !problem && <Loader size="sm" aria-label="Loading" />}
      {diff !== undefined && <Diff text={diff} />}
    </Stack>
  );
}

/** Shows first what it would do, and whether later changes stand in the way. */
function Revert({ session, target, onClose }: { session: Session; target: Target; onClose(): void }) {
  const [force, setForce] = useState(false);
  const [plan, setPlan] = useState<string>();
  const [conflicts, setConflicts] = useState<readonly Conflict[]>([]);
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    setProblem(undefined);
    revert(session, { target, force, dryRun: true }).then(
      (planned) => {
        setPlan(planned.diff ?? '');
        setConflicts(planned.conflicts);
      },
      (error) => {
        const refusal = refusalOf(error);
        setConflicts(refusal.conflicts);
        setProblem(refusal.conflicts.length > 0 ? undefined : refusal.message);
      },
    );
  }, [session, target, force]);
  const run = async () => {
    setBusy(true);
    try {
      await revert(session, { target, force, dryRun: false });
      onClose();
    } catch (error) {
      setProblem(refusalOf(error).message);
      setBusy(false);
    }
  };
  const title = target.kind === 'change' ? `Take change ${target.ref} back` : `Back to position ${target.position}`;
  const blocked = conflicts.length > 0 && !force;
  return (
    <Modal opened onClose={onClose} size="xl" title={title}>
      <Stack gap="sm">
        {problem && (
          <Alert color="red" role="alert">
            {problem}
          </Alert>
        )}
        {conflicts.length > 0 && (
          <Alert color="yellow" title="Later changes stand in the way">
            {conflicts.slice(0, 20).map(({ path, reason }) => (
              <Text size="sm" key={path}>
                {path}: {reason}
              </Text>
            ))}
          </Alert>
        )}
        {(conflicts.length > 0 || force) && (
          <Checkbox
            label="Take these files back all the same"
            checked={force}
            onChange={(event) => setForce(event.currentTarget.checked)}
          />
        )}
        {plan !== undefined && !blocked && (
          <>
            <Text size="sm">This becomes a new change, for every node; it can be taken back as well:</Text>
            <Diff text={plan} />
          </>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button color="orange" loading={busy} disabled={plan === undefined || blocked} onClick={run}>
            Take back
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** Today only the time. */
function timeOf(iso: string): string {
  const at = new Date(iso);
  const today = new Date().toDateString() === at.toDateString();
  return today ? at.toLocaleTimeString() : `${at.toLocaleDateString()} ${at.toLocaleTimeString()}`;
}
