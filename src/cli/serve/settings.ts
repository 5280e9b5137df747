import { UserError } from '../../base/index.ts';
import {
  DEFAULT_DISCOVERY_ADDRESS,
  DEFAULT_GROUP,
  isNatsUrl,
  isPostgresUrl,
  isStompUrl,
  saysStomp,
} from '../../log/index.ts';
import { DISCOVERED_LOG } from '../find-log.ts';
import type { ServeOptions } from '../serve-options.ts';
import { normalized, SETTING_KEYS, settingKey, switchOf, withoutSecrets } from './keys.ts';
import { ROLE_KEYS, roleOf } from './role-keys.ts';

/** Where an option comes from; who comes first wins. */
export type Source = 'command line' | 'environment' | 'cluster.properties' | 'default';

export interface SettingsInput {
  /** Values of flags and of `GRATICULE_*` variables, and defaults. */
  readonly given: ServeOptions;
  /** Which of `given` was given, and how. */
  sourceOf(option: string): 'command line' | 'environment' | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Entries of `cluster.properties`. */
  readonly file: ReadonlyMap<string, string>;
  /** What was changed since the process started, by key: it wins over everything until the next start. */
  readonly steered?: ReadonlyMap<string, string>;
}

export interface Settings {
  readonly options: ServeOptions;
  /** Of every key, where the option that follows from it comes from. */
  readonly sources: ReadonlyMap<string, Source>;
  /** What somebody should know, as event and facts of the log. */
  readonly warnings: readonly SettingsWarning[];
}

export interface SettingsWarning {
  readonly event: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** An option of `serve` that follows from keys of the file; `read` gives its value, or undefined where the keys say nothing. */
interface Rule {
  readonly option: keyof ServeOptions;
  readonly keys: readonly string[];
  /** What holds when the keys were emptied while the node ran. */
  readonly otherwise?: unknown;
  read(get: (key: string) => string | undefined): unknown;
}

const RULES: readonly Rule[] = [
  { option: 'name', keys: ['instanceName'], read: (get) => get('instanceName') },
  { option: 'role', keys: ROLE_KEYS, otherwise: 'both', read: roleOf },
  { option: 'log', keys: ['brokerURL', 'embeddedBroker'], otherwise: 'embedded:', read: logOf },
  { option: 'group', keys: ['group'], otherwise: DEFAULT_GROUP, read: (get) => get('group') },
  { option: 'topicName', keys: ['topicName'], read: (get) => get('topicName') },
  { option: 'discovery', keys: ['discovery'], otherwise: 'off', read: (get) => get('discovery') },
  {
    option: 'discoveryAddress',
    keys: ['discoveryAddress'],
    otherwise: DEFAULT_DISCOVERY_ADDRESS,
    read: (get) => get('discoveryAddress'),
  },
  { option: 'discoveryInterface', keys: ['discoveryInterface'], read: (get) => get('discoveryInterface') },
  { option: 'readOnly', keys: ['readOnly'], read: (get) => optionalSwitch(get('readOnly')) },
  { option: 'forwardWrites', keys: ['forwardWrites'], read: (get) => optionalSwitch(get('forwardWrites')) },
  { option: 'onDrift', keys: ['onDrift'], read: (get) => get('onDrift') },
  { option: 'onAhead', keys: ['onAhead'], read: (get) => get('onAhead') },
  { option: 'retainRecords', keys: ['retainRecords'], read: (get) => optionalNumber(get('retainRecords')) },
  { option: 'snapshotEvery', keys: ['snapshotEvery'], read: (get) => optionalNumber(get('snapshotEvery')) },
];

/**
 * The options that a node runs with: from the command line, else from the environment (`GRATICULE_*`, then the names that GeoServer
 * and its container images use), else from `cluster.properties`, else their defaults.
 *
 * @throws UserError  400: a value means nothing, or what is given cannot work
 */
export function resolveSettings(input: SettingsInput): Settings {
  const { given, file, env } = input;
  const steered = input.steered ?? new Map<string, string>();
  const warnings: SettingsWarning[] = [];
  const fromEnv = environmentSettings(env);
  const sources = new Map<string, Source>();
  const options: Record<string, unknown> = { ...given };
  const layered = (key: string): string | undefined => {
    const text = (steered.get(key) ?? fromEnv.get(key)?.value ?? file.get(key))?.trim();
    return text === undefined || text === '' ? undefined : normalized(settingKey(key)!, text);
  };
  for (const key of file.keys())
    if (settingKey(key) === undefined) warnings.push({ event: 'setting-unknown', facts: { key } });

  for (const { option, keys, otherwise, read } of RULES) {
    const isSteered = keys.some((key) => steered.has(key));
    const givenBy = isSteered ? undefined : input.sourceOf(option);
    const value = read(layered);
    if (givenBy !== undefined) {
      for (const key of keys) sources.set(key, givenBy);
      const inFile = read((key) => {
        const text = file.get(key)?.trim();
        return text === undefined || text === '' ? undefined : normalized(settingKey(key)!, text);
      });
      if (inFile !== undefined && inFile !== given[option])
        warnings.push({
          event: 'setting-overridden',
          facts: { option, by: givenBy, used: shown(given[option]), inFile: shown(inFile) },
        });
      continue;
    }
    const envKey = keys.find((key) => fromEnv.has(key));
    const source: Source = isSteered
      ? 'cluster.properties'
      : envKey !== undefined
        ? 'environment'
        : keys.some((key) => file.get(key)?.trim())
          ? 'cluster.properties'
          : 'default';
    for (const key of keys) sources.set(key, source);
    if (value !== undefined || isSteered) options[option] = value ?? otherwise;
  }
  const broker = layered('brokerURL');
  if (broker !== undefined && options.log !== broker && !isFollowable(broker) && input.sourceOf('log') === undefined) {
    if (optionalSwitch(layered('embeddedBroker')) === false)
      throw new UserError(
        400,
        'unknown-log',
        `brokerURL=${withoutSecrets(broker)} is no log that can be followed, and embeddedBroker=disabled says that this node holds none: set brokerURL (or --log) to ws://host:port of a node that does, to failover:(ws://a:port,ws://b:port), to postgres://user@host/database, to nats://host:port, or to stomp://host:61613`,
      );
    warnings.push({
      event: 'setting-without-effect',
      facts: {
        key: 'brokerURL',
        value: withoutSecrets(broker),
        reason: 'no log that can be followed; this node holds its own, as embeddedBroker=enabled says',
      },
    });
  }
  // To hold a log is what a node does that is told nothing; with discovery, it looks first whether there is one.
  if (options.discovery === 'multicast' && options.log === 'embedded:' && input.sourceOf('log') === undefined)
    options.log = DISCOVERED_LOG;
  return { options: options as unknown as ServeOptions, sources, warnings };
}

/** Settings in the variables that GeoServer reads itself, and that its container images turn into `cluster.properties`. */
export function environmentSettings(
  env: Readonly<Record<string, string | undefined>>,
): Map<string, { readonly value: string; readonly variable: string }> {
  const found = new Map<string, { value: string; variable: string }>();
  for (const key of SETTING_KEYS) {
    // The folder is an option of its own.
    if (key.effect === 'start') continue;
    const variable = key.env.find((name) => env[name] !== undefined && env[name].trim() !== '');
    if (variable === undefined) continue;
    let value = env[variable]!.trim();
    // A list without the word is what the image puts into `failover:(...)`.
    if (
      variable === 'BROKER_URL' &&
      value.includes(',') &&
      !value.startsWith('failover:') &&
      !isPostgresUrl(value) &&
      !isNatsUrl(value)
    )
      value = `failover:(${value})`;
    found.set(key.name, { value, variable });
  }
  return found;
}

/**
 * Whether this is a log that can be followed here, by its form. An address in GeoServer's words may be that of the broker in one's
 * own process; it counts at the port of STOMP.
 */
export function isFollowable(url: string): boolean {
  if (saysStomp(url) || (isStompUrl(url) && /:61613\b/.test(url))) return true;
  return (
    /^(?:wss?:\/\/|embedded:?$|embedded:(?:\/|[A-Za-z]:[\\/]|postgres(?:ql)?:)|failover:\(?wss?:\/\/)/.test(url) ||
    isPostgresUrl(url) ||
    isNatsUrl(url)
  );
}

export function holdsLog(url: string): boolean {
  return url === 'embedded:' || url === 'embedded';
}

/** A broker that can be followed is the log; otherwise `embeddedBroker` says that this node holds it. */
function logOf(get: (key: string) => string | undefined): string | undefined {
  const broker = get('brokerURL');
  if (broker !== undefined && isFollowable(broker)) return broker;
  const embedded = optionalSwitch(get('embeddedBroker'));
  // An address in the words of GeoServer's extension, and it is not that of a broker in this process; at 61616 none speaks STOMP.
  if (embedded === false && broker !== undefined && isStompUrl(broker) && !/:61616\b/.test(broker)) return broker;
  if (embedded === false && broker === undefined)
    throw new UserError(
      400,
      'no-log',
      'embeddedBroker=disabled, and brokerURL is empty: set brokerURL (or --log) to ws://host:port of the node that holds the log, to postgres://user@host/database, nats://host:port or stomp://host:61613',
    );
  return embedded === true ? 'embedded:' : undefined;
}

function optionalSwitch(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : switchOf(text);
}

function optionalNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function shown(value: unknown): unknown {
  return typeof value === 'string' ? withoutSecrets(value) : value;
}
