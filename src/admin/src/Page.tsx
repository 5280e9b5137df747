import {
  Alert,
  AppShell,
  Badge,
  Button,
  Group,
  Loader,
  NavLink,
  ScrollArea,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
  Title,
  Tooltip,
} from '@mantine/core';
import { useEffect, useState } from 'react';
import { SchemeSwitch } from './Brand.tsx';
import { History } from './History.tsx';
import { Nodes } from './Nodes.tsx';
import { type LayerSummary, type Overview, useOverview } from './overview.ts';
import { Preview } from './Preview.tsx';
import { SignIn } from './SignIn.tsx';
import { rest, useSession } from './session.ts';

/** The page: the cluster's nodes above; below them its layers and a map, or its history. */
export function Page() {
  const loaded = useOverview();
  const { session, signIn, signOut } = useSession();
  const [view, setView] = useState<View>(() => viewOf(window.location.hash));
  const [problem, setProblem] = useState<string>();
  const setRole = session
    ? (role: string) => {
        rest(session, 'cluster/role', { method: 'PUT', json: { role } }).then(
          () => setProblem(undefined),
          (error: Error) => setProblem(`The role was not changed: ${error.message}`),
        );
      }
    : undefined;
  const overview = loaded.state === 'loaded' ? loaded.overview : loaded.state === 'lost' ? loaded.last : undefined;
  return (
    <AppShell header={{ height: 56 }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <img src="./icon.svg" alt="" width={32} height={32} />
            <Title order={1} size="h3">
              Graticule
            </Title>
            {overview && (
              <Text size="sm" c="dimmed" visibleFrom="sm">
                {overview.version} · this is node {overview.node}
              </Text>
            )}
          </Group>
          <Group gap="xs" wrap="nowrap">
            <SegmentedControl
              size="xs"
              aria-label="What to show"
              value={view}
              onChange={(next) => setView(next as View)}
              data={[
                { value: 'maps', label: 'Maps' },
                { value: 'history', label: 'History' },
              ]}
            />
            {session && (
              <Button size="xs" variant="subtle" onClick={signOut}>
                Sign out {session.user}
              </Button>
            )}
            {overview && (
              <Tooltip label="Number of the last change that this node has applied">
                <Badge variant="light" tt="none">
                  position {overview.position}
                </Badge>
              </Tooltip>
            )}
            <SchemeSwitch />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main h="100dvh">
        <Stack h="100%" gap="md">
          {loaded.state === 'lost' && (
            <Alert color="red" title="This node does not answer" role="alert">
              {loaded.reason}. What you see is from before; the page goes on asking.
            </Alert>
          )}
          {overview?.note && (
            <Alert color="yellow" title="Something is left to do" role="status">
              {overview.note}
            </Alert>
          )}
          {problem && (
            <Alert color="red" role="alert" withCloseButton onClose={() => setProblem(undefined)}>
              {problem}
            </Alert>
          )}
          {!overview && loaded.state === 'loading' && <Loader aria-label="Loading" />}
          {overview && <Nodes nodes={overview.nodes} here={overview.node} setRole={setRole} />}
          {overview && view === 'maps' && <Maps overview={overview} />}
          {overview &&
            view === 'history' &&
            (session ? (
              <History session={session} position={overview.position} />
            ) : (
              <SignIn signIn={signIn}>{WHY_SIGN_IN}</SignIn>
            ))}
        </Stack>
      </AppShell.Main>
    </AppShell>
  );
}

const WHY_SIGN_IN = 'The history shows who changed what; an administrator may see it, and take changes back.';

type View = 'maps' | 'history';

/** `#history` opens the history; any other hash names a layer. */
function viewOf(hash: string): View {
  return hash === '#history' ? 'history' : 'maps';
}

function Maps({ overview }: { overview: Overview }) {
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState(() => decodeURIComponent(window.location.hash.slice(1)));
  const layer = overview.layers.find((l) => l.name === chosen) ?? favourite(overview.layers);
  useEffect(() => {
    const follow = () => setChosen(decodeURIComponent(window.location.hash.slice(1)));
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, []);
  const words = search.toLowerCase().split(/\s+/);
  const found = overview.layers.filter((l) =>
    words.every((word) => `${l.name} ${l.title}`.toLowerCase().includes(word)),
  );
  const shown = found.slice(0, 200);
  return (
    <div className="columns" style={{ flex: 1, minHeight: 0 }}>
      <section className="layers" aria-label="Layers">
        <TextInput
          aria-label="Find a layer"
          placeholder={`Find among ${overview.layers.length} layers`}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          mb="xs"
        />
        <ScrollArea style={{ flex: 1 }} type="auto">
          {shown.map((l) => (
            <NavLink
              key={l.name}
              href={`#${encodeURIComponent(l.name)}`}
              active={l.name === layer?.name}
              label={l.title || l.name}
              description={l.name}
              rightSection={
                <Badge size="xs" variant="default">
                  {TYPES[l.type] ?? l.type}
                </Badge>
              }
            />
          ))}
          {found.length > shown.length && (
            <Text size="sm" c="dimmed" p="sm">
              and {found.length - shown.length} more: type some letters of the name
            </Text>
          )}
          {found.length === 0 && (
            <Text size="sm" c="dimmed" p="sm">
              {overview.layers.length === 0 ? 'No layer is published yet.' : 'No layer has these letters in its name.'}
            </Text>
          )}
        </ScrollArea>
      </section>
      {layer && <Preview key={layer.name} layer={layer} nodes={overview.nodes} here={overview.node} />}
    </div>
  );
}

const TYPES: Readonly<Record<string, string>> = { VECTOR: 'vector', RASTER: 'raster', GROUP: 'group' };

/** A group shows most; otherwise the first layer. */
function favourite(layers: readonly LayerSummary[]): LayerSummary | undefined {
  return layers.find((l) => l.type === 'GROUP') ?? layers[0];
}
