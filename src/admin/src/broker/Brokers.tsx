import { Alert, Anchor, Badge, Button, Card, CopyButton, Group, SimpleGrid, Text, Tooltip } from '@mantine/core';
import { ask, type BrokerPresence, type BrokerState, type BrokerStatus } from './api.ts';
import { type Act, type Action, shellWord } from './Confirm.tsx';
import { ageText, bytesText, sentence } from './format.ts';

export const STATE_COLORS: Readonly<Record<BrokerState, string>> = {
  active: 'teal',
  waiting: 'blue',
  starting: 'gray',
  stopping: 'orange',
};

const STORES: Readonly<Record<BrokerStatus['store']['kind'], string>> = {
  folder: 'a folder',
  postgresql: 'PostgreSQL',
};

/** All brokers on the store, the active one first; and the store. */
export function Brokers({ status, act }: { status: BrokerStatus; act: Act | undefined }) {
  const { bytes, disk, warning } = status.room;
  const waiting = status.brokers.filter(({ state }) => state === 'waiting');
  return (
    <section aria-label="Brokers">
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="sm">
        {status.brokers.map((broker) => (
          <BrokerCard
            key={broker.name}
            broker={broker}
            here={broker.name === status.name}
            takeOver={
              act === undefined
                ? undefined
                : broker.state === 'waiting'
                  ? () => act(takingOver(broker.name))
                  : broker.state === 'active' && broker.name === status.name && waiting.length > 0
                    ? () => act(handingOver(broker.name))
                    : undefined
            }
          />
        ))}
        <Card withBorder padding="sm" aria-label="Store">
          <Group justify="space-between" gap="xs">
            <Text fw={600}>Store</Text>
            {status.state === 'active' && (
              <Tooltip label="How often a broker on this store has become active" multiline maw={280}>
                <Badge variant="default" tt="none">
                  term {status.term}
                </Badge>
              </Tooltip>
            )}
          </Group>
          <Text size="xs" className="cut" title={status.store.place}>
            {status.store.place}
          </Text>
          <Text size="xs" c="dimmed" mt={6}>
            {STORES[status.store.kind]}
            {bytes !== undefined && ` · ${bytesText(bytes)}`}
            {disk && ` · ${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)} free`}
            {status.brokers.length === 1 && ' · no other broker is there to take over'}
          </Text>
          {warning && (
            <Alert color="orange" role="alert" p="xs" mt={6}>
              {sentence(warning)}
            </Alert>
          )}
        </Card>
      </SimpleGrid>
    </section>
  );
}

function BrokerCard({
  broker,
  here,
  takeOver,
}: {
  broker: BrokerPresence;
  here: boolean;
  takeOver: (() => void) | undefined;
}) {
  return (
    <Card withBorder padding="sm" aria-label={`Broker ${broker.name}`}>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text fw={600} className="cut">
          {broker.name}
          {here && (
            <Text span size="xs" c="dimmed">
              {' '}
              · this one
            </Text>
          )}
        </Text>
        <Tooltip label={`since ${new Date(broker.since).toLocaleString()}`}>
          <Badge color={STATE_COLORS[broker.state]} variant="light" tt="none" style={{ flexShrink: 0 }}>
            {broker.state} {ageText(broker.since)}
          </Badge>
        </Tooltip>
      </Group>
      <Anchor size="xs" href={`${broker.url}/`} className="cut">
        {broker.url}
      </Anchor>
      <Group justify="space-between" gap="xs" mt={6} wrap="nowrap">
        <CopyButton value={broker.logUrl}>
          {({ copied, copy }) => (
            <Tooltip label={copied ? 'Copied' : 'Where nodes find it: copy'}>
              <Button size="compact-xs" variant="default" onClick={copy} className="cut" ff="monospace">
                {broker.logUrl}
              </Button>
            </Tooltip>
          )}
        </CopyButton>
        {takeOver && (
          <Button size="compact-xs" variant="light" onClick={takeOver} style={{ flexShrink: 0 }}>
            {broker.state === 'active' ? 'Hand over…' : 'Make active…'}
          </Button>
        )}
      </Group>
    </Card>
  );
}

const EFFECT =
  'Appends that are under way get their outcome first; then nodes connect to the other broker by themselves. Changes wait meanwhile, maps are served as before.';

function takingOver(name: string): Action {
  return {
    title: `Make ${name} the active broker`,
    effect: EFFECT,
    verb: 'Make active',
    command: () => `takeover ${shellWord(name)}`,
    run: async () => {
      await ask('/takeover', { method: 'POST', json: { to: name } });
      return `${name} takes over.`;
    },
  };
}

function handingOver(name: string): Action {
  return {
    title: `Hand over from ${name}`,
    effect: `Whichever broker waits first becomes the active one. ${EFFECT}`,
    verb: 'Hand over',
    command: () => 'takeover',
    run: async () => {
      await ask('/takeover', { method: 'POST', json: {} });
      return `${name} hands over.`;
    },
  };
}
