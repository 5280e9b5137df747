import {
  Alert,
  Badge,
  Button,
  Code,
  Group,
  Loader,
  Stack,
  Table,
  Text,
  TextInput,
  UnstyledButton,
} from '@mantine/core';
import { Fragment, useEffect, useState } from 'react';
import {
  ask,
  ConsoleError,
  groupPath,
  type Operation,
  type RecordDetails,
  type RecordList,
  type RecordSummary,
} from './api.ts';
import { addressText, bytesText, countText, timeText, whatText } from './format.ts';

const PAGE = 25;
/** After an answer that did not come. */
const RETRY_MS = 2_000;

/** Whether asking again may help: the broker did not answer, or is not active now. */
function mayPass(error: Error): boolean {
  return error instanceof ConsoleError && (error.status === 0 || error.status >= 500);
}

/** The records of a group, the newest first; one that is opened shows what it does to the files. */
export function Records({ group, head, trimmed }: { group: string; head: number; trimmed: number }) {
  /** Position of the newest record shown; undefined follows the head. */
  const [upTo, setUpTo] = useState<number>();
  const [list, setList] = useState<RecordList>();
  const [problem, setProblem] = useState<string>();
  const [open, setOpen] = useState<number>();
  const [wanted, setWanted] = useState('');
  const [attempt, setAttempt] = useState(0);
  const last = upTo !== undefined && upTo > trimmed ? upTo : head;
  const after = Math.max(trimmed, last - PAGE);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks again
  useEffect(() => {
    let stale = false;
    let timer: number | undefined;
    if (last <= after) {
      setList(undefined);
      return;
    }
    ask<RecordList>(groupPath(group, `/records?after=${after}&limit=${last - after}`)).then(
      (answer) => {
        if (stale) return;
        setList(answer);
        setProblem(undefined);
      },
      (error: Error) => {
        if (stale) return;
        setProblem(error.message);
        if (mayPass(error)) timer = window.setTimeout(() => setAttempt((before) => before + 1), RETRY_MS);
      },
    );
    return () => {
      stale = true;
      window.clearTimeout(timer);
    };
  }, [group, after, last, attempt]);
  const toggle = (position: number) => {
    setOpen(open === position ? undefined : position);
    // What is being read stays where it is, whatever is appended.
    if (open !== position) setUpTo(last);
  };
  const go = (position: number) => {
    setUpTo(position >= head ? undefined : Math.max(position, Math.min(head, trimmed + PAGE)));
  };
  const goTo = (text: string) => {
    const position = Number(text);
    if (!/^\d+$/.test(text) || position > head || position <= trimmed)
      return setProblem(`The log holds the records ${trimmed + 1} to ${head}.`);
    setProblem(undefined);
    go(Math.min(head, position + Math.floor(PAGE / 2)));
    setOpen(position);
  };
  if (head === trimmed)
    return (
      <Text size="sm" c="dimmed">
        {head === 0
          ? 'Nothing has been appended yet.'
          : 'All records were trimmed; the newest snapshot has their outcome.'}
      </Text>
    );
  const records = list?.records.toReversed();
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Button size="compact-sm" variant="default" disabled={upTo === undefined} onClick={() => setUpTo(undefined)}>
          Newest
        </Button>
        <Button size="compact-sm" variant="default" disabled={upTo === undefined} onClick={() => go(last + PAGE)}>
          Newer
        </Button>
        <Button size="compact-sm" variant="default" disabled={after <= trimmed} onClick={() => go(after)}>
          Older
        </Button>
        <Text size="sm" c="dimmed" className="figures">
          {countText(after + 1)} to {countText(last)} of {countText(head)}
          {upTo !== undefined && head > last && `, ${countText(head - last)} newer`}
        </Text>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            goTo(wanted.trim());
          }}
          style={{ marginLeft: 'auto' }}
        >
          <TextInput
            size="xs"
            w={130}
            aria-label="Go to position"
            placeholder="go to position"
            inputMode="numeric"
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
        </form>
      </Group>
      {problem && (
        <Alert color="red" role="alert" p="xs">
          {problem}
        </Alert>
      )}
      {records === undefined && !problem && <Loader size="sm" aria-label="Loading" />}
      {records && (
        <Table className="stacking records" verticalSpacing={4} aria-label="Records">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>No.</Table.Th>
              <Table.Th>When</Table.Th>
              <Table.Th>Who</Table.Th>
              <Table.Th>What</Table.Th>
              <Table.Th>Size</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {records.map((record) => (
              <Fragment key={record.position}>
                <RecordRow record={record} open={open === record.position} toggle={() => toggle(record.position)} />
                {open === record.position && (
                  <Table.Tr>
                    <Table.Td colSpan={5} className="opened">
                      <Details group={group} position={record.position} />
                    </Table.Td>
                  </Table.Tr>
                )}
              </Fragment>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}

function RecordRow({ record, open, toggle }: { record: RecordSummary; open: boolean; toggle(): void }) {
  const { position, at, kind, changes, changeCount, bytes, node, reason } = record;
  const [first] = changes;
  return (
    // The button is for the keyboard; the whole row is as good for a finger.
    <Table.Tr onClick={toggle} className="openable" data-open={open}>
      <Table.Td className="figures stacking-head">
        <UnstyledButton
          className="opener"
          aria-expanded={open}
          aria-label={`Record ${position}`}
          onClick={(event) => {
            event.stopPropagation();
            toggle();
          }}
        >
          <span aria-hidden="true">{open ? '▾' : '▸'}</span> {countText(position)}
        </UnstyledButton>
      </Table.Td>
      <Table.Td data-label="When" style={{ whiteSpace: 'nowrap' }}>
        {at && timeText(at)}
      </Table.Td>
      <Table.Td data-label="Who" className="record-who">
        {first?.by}
        <Text span size="xs" c="dimmed" className="under">
          {[first?.address && addressText(first.address), node && `at ${node}`].filter(Boolean).join(' ')}
        </Text>
      </Table.Td>
      <Table.Td data-label="What" className="record-what" style={{ overflowWrap: 'anywhere' }}>
        {kind === 'genesis' && 'the state that the log begins with'}
        {reason && (
          <Text span size="sm" c={kind === 'unreadable' ? 'red' : 'dimmed'}>
            {reason}
          </Text>
        )}
        {first && whatText(first.why)}
        {changeCount > 1 && (
          <Badge size="xs" variant="default" tt="none" ml={6}>
            and {changeCount - 1} more {changeCount === 2 ? 'change' : 'changes'}
          </Badge>
        )}
        {first && first.steps.length > 0 && (
          <Text span size="xs" c="dimmed" className="under" ff="monospace">
            {first.steps[0]}
            {first.operationCount > 1 && ` and ${first.operationCount - 1} more`}
          </Text>
        )}
      </Table.Td>
      <Table.Td data-label="Size" className="figures record-size" style={{ whiteSpace: 'nowrap' }}>
        {bytesText(bytes)}
      </Table.Td>
    </Table.Tr>
  );
}

function Details({ group, position }: { group: string; position: number }) {
  const [details, setDetails] = useState<RecordDetails>();
  const [problem, setProblem] = useState<string>();
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks again
  useEffect(() => {
    let timer: number | undefined;
    ask<RecordDetails>(groupPath(group, `/records/${position}`)).then(
      (answer) => {
        setDetails(answer);
        setProblem(undefined);
      },
      (error: Error) => {
        setProblem(error.message);
        if (mayPass(error)) timer = window.setTimeout(() => setAttempt((before) => before + 1), RETRY_MS);
      },
    );
    return () => window.clearTimeout(timer);
  }, [group, position, attempt]);
  if (problem)
    return (
      <Alert color="red" role="alert" p="xs">
        {problem}
      </Alert>
    );
  if (!details) return <Loader size="sm" aria-label="Loading" />;
  return (
    <Stack gap="sm" aria-label={`What record ${position} does`} component="section">
      {details.reason && (
        <Text size="sm" c="dimmed">
          {details.reason}
        </Text>
      )}
      {details.digest && (
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {details.logId && `Log ${details.logId}. `}Digest of all files after it: <Code>{details.digest}</Code>
        </Text>
      )}
      {details.changes.map((change) => (
        <div key={change.id}>
          <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>
            {whatText(change.why)}
          </Text>
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            by {change.by}
            {change.address && ` from ${addressText(change.address)}`} at {change.node},{' '}
            {new Date(change.at).toLocaleString()} · {change.id}
          </Text>
          <Stack gap={4} mt={6}>
            {change.operations.map((operation, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the steps of a change never move
              <OperationView key={index} operation={operation} />
            ))}
            {change.operationCount > change.operations.length && (
              <Text size="xs" c="dimmed">
                and {countText(change.operationCount - change.operations.length)} more
              </Text>
            )}
          </Stack>
        </div>
      ))}
      {details.changeCount > details.changes.length && (
        <Text size="xs" c="dimmed">
          and {countText(details.changeCount - details.changes.length)} more changes
        </Text>
      )}
    </Stack>
  );
}

const NOTES: Readonly<Record<Exclude<Extract<Operation, { kind: 'put' }>['content'], 'text'>, string>> = {
  binary: 'binary',
  blob: 'travels beside the log',
  secret: 'a secret file: its content is not shown',
  long: 'too long to be shown with the others',
};

function OperationView({ operation }: { operation: Operation }) {
  if (operation.kind === 'delete')
    return (
      <Step color="red" word="delete">
        {operation.path}
      </Step>
    );
  if (operation.kind === 'move')
    return (
      <Step color="grape" word="move">
        {operation.from} → {operation.to}
      </Step>
    );
  const { path, size, content, text, hash } = operation;
  const line = (
    <Step color="teal" word="put" note={`${bytesText(size)}${content === 'text' ? '' : ` · ${NOTES[content]}`}`}>
      {path}
      {hash && (
        <Text span size="xs" c="dimmed" ff="monospace">
          {' '}
          {hash.slice(0, 12)}
        </Text>
      )}
    </Step>
  );
  if (content !== 'text') return line;
  return (
    <details>
      <summary>{line}</summary>
      <pre className="content">{text}</pre>
    </details>
  );
}

function Step({
  color,
  word,
  note,
  children,
}: {
  color: string;
  word: string;
  note?: string;
  children: React.ReactNode;
}) {
  return (
    <span className="step">
      <Badge size="xs" color={color} variant="light" tt="none">
        {word}
      </Badge>{' '}
      <Text span size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
        {children}
      </Text>
      {note && (
        <Text span size="xs" c="dimmed">
          {' '}
          {note}
        </Text>
      )}
    </span>
  );
}
