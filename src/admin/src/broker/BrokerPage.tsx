import { Alert, Anchor, AppShell, Badge, Box, Button, Group, Loader, Stack, Text, Title, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { SchemeSwitch } from '../Brand.tsx';
import { SignIn } from '../SignIn.tsx';
import { ask, type BrokerStatus } from './api.ts';
import { Brokers, STATE_COLORS } from './Brokers.tsx';
import { type Action, Confirm } from './Confirm.tsx';
import { sentence } from './format.ts';
import { GroupPanel } from './GroupPanel.tsx';
import { Groups } from './Groups.tsx';
import { type Console, useConsole } from './polling.ts';

type Shown = Extract<Console, { state: 'shown' }>;

/** The console of a broker: who is active, what the groups have, and what can be done to them. */
export function BrokerPage() {
  const { console, refresh, signedOut } = useConsole();
  const shown = console.state === 'shown' ? console : undefined;
  const title = shown && `${shown.status.name} (${shown.lost ? 'no answer' : shown.status.state})`;
  useEffect(() => {
    document.title = title === undefined ? 'Graticule broker' : `${title} · Graticule broker`;
  }, [title]);
  const signIn = async (user: string, password: string) => {
    await ask('/session', { method: 'POST', json: { user, password } });
    refresh();
  };
  const signOut = () => ask('/session', { method: 'DELETE' }).then(signedOut, signedOut);
  return (
    <AppShell header={{ height: 56 }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap" style={{ minWidth: 0 }}>
            <Box component="img" src="./icon.svg" alt="" w={32} h={32} visibleFrom={shown && 'sm'} />
            <Title order={1} size="h3" style={{ whiteSpace: 'nowrap' }} visibleFrom={shown && 'sm'}>
              Graticule{' '}
              <Text span inherit fw={400}>
                broker
              </Text>
            </Title>
            {shown && (
              <>
                <Text size="sm" c="dimmed" visibleFrom="sm" className="cut">
                  {shown.status.version} · this is {shown.status.name}
                </Text>
                <Text fw={600} hiddenFrom="sm" className="cut">
                  {shown.status.name}
                </Text>
              </>
            )}
          </Group>
          <Group gap="xs" wrap="nowrap">
            {shown && (
              <Badge
                color={shown.lost ? 'red' : STATE_COLORS[shown.status.state]}
                variant="light"
                tt="none"
                style={{ flexShrink: 0 }}
              >
                {shown.lost ? 'no answer' : shown.status.state}
              </Badge>
            )}
            {shown?.status.account.readOnly && (
              <Tooltip label={`${shown.status.account.user} may look at everything and change nothing`}>
                <Badge color="gray" variant="outline" tt="none" tabIndex={0} style={{ flexShrink: 0 }}>
                  read-only
                </Badge>
              </Tooltip>
            )}
            {shown && (
              <Button
                size="xs"
                px={{ base: 4, sm: 'sm' }}
                variant="subtle"
                onClick={signOut}
                title={`Signed in as ${shown.status.account.user}`}
                style={{ flexShrink: 0 }}
              >
                Sign out
              </Button>
            )}
            <SchemeSwitch />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main>
        <div className="page">
          {console.state === 'loading' && !console.lost && <Loader aria-label="Loading" />}
          {console.state === 'loading' && console.lost && (
            <Alert color="red" title="Nothing can be shown yet" role="alert">
              {console.lost}; the page goes on asking.
            </Alert>
          )}
          {console.state === 'signed-out' && (
            <SignIn signIn={signIn}>
              As admin, or as viewer to look and change nothing. The passwords are in GRATICULE_BROKER_PASSWORD and
              GRATICULE_BROKER_VIEWER_PASSWORD, or in the files that the broker’s log names at its start
              (console-login).
            </SignIn>
          )}
          {shown && <Overview shown={shown} refresh={refresh} />}
        </div>
      </AppShell.Main>
    </AppShell>
  );
}

function Overview({ shown, refresh }: { shown: Shown; refresh(): void }) {
  const { status, groups, samples, lost } = shown;
  const [action, setAction] = useState<Action>();
  const act = status.account.readOnly ? undefined : setAction;
  const [result, setResult] = useState<string>();
  useEffect(() => {
    if (result === undefined) return;
    const timer = window.setTimeout(() => setResult(undefined), RESULT_MS);
    return () => window.clearTimeout(timer);
  }, [result]);
  return (
    <Stack gap="md">
      {lost && <Lost reason={lost} status={status} />}
      {result && (
        <Alert color="teal" role="status" p="xs" withCloseButton onClose={() => setResult(undefined)}>
          {result}
        </Alert>
      )}
      <Stack gap="md" className={lost ? 'past' : undefined}>
        <Brokers status={status} act={act} />
        {groups === undefined ? (
          <Elsewhere status={status} />
        ) : groups.length === 0 ? (
          <Text size="sm" c="dimmed">
            No group yet: the first node that connects makes one. Nodes are started with --log {status.logUrl}
          </Text>
        ) : (
          <Groups groups={groups}>
            {(group) => (
              <GroupPanel key={group.group} group={group} samples={samples.get(group.group) ?? []} act={act} />
            )}
          </Groups>
        )}
      </Stack>
      {action && (
        <Confirm
          action={action}
          onClose={() => setAction(undefined)}
          onDone={(text) => {
            setAction(undefined);
            setResult(text);
            refresh();
          }}
        />
      )}
    </Stack>
  );
}

const RESULT_MS = 8_000;

/** On a broker that waits, or has lost the active role. */
function Elsewhere({ status }: { status: BrokerStatus }) {
  const active = status.brokers.find(({ state, name }) => state === 'active' && name !== status.name);
  return (
    <Alert color={active ? 'blue' : 'orange'} title={`This broker is ${status.state}`} role="status">
      {active ? (
        <>
          {active.name} serves the groups:{' '}
          <Anchor size="sm" href={consoleOf(active)}>
            open its console
          </Anchor>
          .
        </>
      ) : (
        'No broker is active at this moment.'
      )}
      {status.reason && (
        <Text size="xs" mt={4} c="dimmed">
          {status.reason}
        </Text>
      )}
    </Alert>
  );
}

function Lost({ reason, status }: { reason: string; status: BrokerStatus }) {
  const others = status.brokers.filter(({ name }) => name !== status.name);
  return (
    <Alert color="red" title="Nothing new from this broker" role="alert">
      {sentence(reason)} What you see is from before; the page goes on asking.
      {others.map(({ name, url, state }) => (
        <div key={name}>
          {state === 'waiting' ? `${name} waited, and may have taken over: ` : `${name} was ${state}: `}
          <Anchor size="sm" href={consoleOf({ url })}>
            open its console
          </Anchor>
        </div>
      ))}
    </Alert>
  );
}

/** The same group at another broker's console. */
function consoleOf({ url }: { readonly url: string }): string {
  return `${url}/${window.location.hash}`;
}
