import { rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UnavailableError, UserError } from '../../base/index.ts';
import type { ClusterNode, Role } from '../../cluster/index.ts';
import type { ClusterSettings, SettingsChange } from '../../rest/index.ts';
import { DISCOVERED_LOG, holdsLogAlready } from '../find-log.ts';
import { normalized, SETTING_KEYS, settingKey, withoutSecrets } from './keys.ts';
import {
  editProperties,
  type PreparedFile,
  prepareProperties,
  propertiesOf,
  readPropertiesText,
} from './properties-file.ts';
import { keysAfter, keysFor, ROLE_KEYS, roleOf } from './role-keys.ts';
import {
  type Host,
  logKey,
  type NodeOptions,
  type OpenLog,
  openLogOf,
  openRunningNode,
  type RunningNode,
} from './running-node.ts';
import {
  environmentSettings,
  holdsLog,
  isFollowable,
  resolveSettings,
  type Settings,
  type SettingsInput,
} from './settings.ts';

export interface SteeringParts {
  readonly host: Host;
  readonly input: Omit<SettingsInput, 'file' | 'steered'>;
  /** Name of a node that was given none. */
  readonly defaultName: string;
  /** The node could neither be opened again as it was told, nor as it was before. */
  onLost(error: unknown): void;
  /** The node has another name. */
  onName?(name: string): void;
}

/** How often the file is looked at. */
const WATCH_MS = 1000;
/** Who edits a file may write it in several steps. */
const SETTLE_MS = 300;
/** How long a caller waits for the node to be opened again. */
const REOPEN_WAIT_MS = 20_000;
/** How long a new log may take to answer. */
const PROBE_MS = 8_000;
const PROBE_PAUSE_MS = 100;

/** Options that hold at once; every other one needs the node to be opened again. */
const AT_ONCE: ReadonlySet<string> = new Set(['role', 'forwardWrites']);

/**
 * A node and its settings while it runs: it changes them at the word of REST or when somebody edits `cluster.properties`, opens the
 * node again behind the same port where that is needed, and puts the former settings back where the new ones do not work.
 */
export class Steering implements ClusterSettings {
  readonly #parts: SteeringParts;
  readonly #file: string;
  /** The file as last read or written. */
  #text: string;
  /** Its time, size and number when it was last looked at; unknown at first, so that the first look reads it. */
  #stamp = '';
  #watch: NodeJS.Timeout | undefined;
  #steered: ReadonlyMap<string, string> = new Map();
  #settings: Settings;
  #log!: OpenLog;
  #running!: RunningNode;
  /** One change after the other. */
  #busy: Promise<unknown> = Promise.resolve();
  #reopening: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @throws UserError  the settings cannot work, or the node was refused */
  static async open(parts: SteeringParts): Promise<Steering> {
    const steering = new Steering(parts);
    const { logger } = parts.host;
    for (const { event, facts } of steering.#settings.warnings) logger.warn(event, facts);
    const options = steering.options;
    steering.#log = await openLogOf(options, parts.host);
    try {
      steering.#running = await openRunningNode(options, steering.#log.log, parts.host, steering.#live());
    } catch (error) {
      await steering.#log.close();
      throw error;
    }
    parts.onName?.(options.name);
    steering.#watch = setInterval(() => void steering.#look(), WATCH_MS).unref();
    return steering;
  }

  private constructor(parts: SteeringParts) {
    this.#parts = parts;
    this.#file = path.join(parts.host.clusterDir, 'cluster.properties');
    this.#text = readPropertiesText(this.#file) ?? '';
    this.#settings = this.#resolve(this.#text, this.#steered);
  }

  get node(): ClusterNode {
    return this.#running.node;
  }

  get options(): NodeOptions {
    return this.#withName(this.#settings);
  }

  /** Ends requests, then the node, then its log. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    await this.#busy;
    await this.#running.server.close(graceMs);
    await this.#running.node.close();
    await this.#log.close();
  }

  entries(): readonly (readonly [string, string])[] {
    return [...this.#values()].map(([key, value]) => [key, withoutSecrets(value)]);
  }

  change(changes: ReadonlyMap<string, string>): Promise<SettingsChange> {
    return this.#inTurn(() => this.#change(changes));
  }

  /** Looks at the file again. */
  reread(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#takeFile();
    });
  }

  // ---- what is

  /** Every key with its value now, and what else is in the file. */
  #values(): Map<string, string> {
    const { options } = this.#settings;
    const file = propertiesOf(this.#text);
    const fromEnv = environmentSettings(this.#parts.input.env);
    const written = (key: string) => this.#steered.get(key) ?? fromEnv.get(key)?.value ?? file.get(key)?.trim();
    const isEmbedded = holdsLog(options.log) || options.log === DISCOVERED_LOG;
    const broker = written('brokerURL');
    const known: Record<string, string | undefined> = {
      instanceName: this.options.name,
      group: options.group,
      brokerURL: !isEmbedded ? options.log : broker !== undefined && !isFollowable(broker) ? broker : '',
      embeddedBroker: isEmbedded ? 'enabled' : 'disabled',
      readOnly: options.readOnly ? 'enabled' : 'disabled',
      forwardWrites: options.forwardWrites ? 'enabled' : 'disabled',
      CLUSTER_CONFIG_DIR: this.#parts.host.clusterDir,
      discovery: options.discovery,
      discoveryAddress: options.discoveryAddress,
      discoveryInterface: options.discoveryInterface,
      onDrift: options.onDrift,
      onAhead: options.onAhead,
      retainRecords: options.retainRecords?.toString(),
      snapshotEvery: options.snapshotEvery?.toString(),
      ...Object.fromEntries(this.#roleKeys(written)),
    };
    const values = new Map<string, string>();
    for (const key of SETTING_KEYS)
      values.set(key.name, known[key.name] ?? this.#tolerant(key.name, written(key.name)));
    for (const [key, value] of file) if (!values.has(key)) values.set(key, value);
    return values;
  }

  /** The switches as they are written, where they say what the node is; else those that do. */
  #roleKeys(written: (key: string) => string | undefined): Map<string, string> {
    const { role } = this.#settings.options;
    const keys = new Map(ROLE_KEYS.map((key) => [key as string, this.#tolerant(key, written(key))]));
    keys.set('role', role);
    return roleOf((key) => keys.get(key)) === role ? keys : keysFor(role, (key) => keys.get(key));
  }

  #tolerant(name: string, text: string | undefined): string {
    const key = settingKey(name)!;
    try {
      return text === undefined || text.trim() === '' ? key.default : normalized(key, text);
    } catch {
      return text!;
    }
  }

  #withName({ options }: Settings): NodeOptions {
    return { ...options, name: options.name ?? this.#parts.defaultName };
  }

  #resolve(text: string, steered: ReadonlyMap<string, string>): Settings {
    return resolveSettings({ ...this.#parts.input, file: propertiesOf(text), steered });
  }

  #live() {
    return { settings: this as ClusterSettings, forwardWrites: () => this.#settings.options.forwardWrites ?? false };
  }

  // ---- what shall be

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#busy.then(() => {
      if (this.#closed) throw new UserError(409, 'closing', 'this node is shutting down; nothing was changed');
      return work();
    });
    this.#busy = done
      .catch(() => {})
      .then(() => this.#reopening)
      .catch(() => {});
    return done;
  }

  async #change(changes: ReadonlyMap<string, string>): Promise<SettingsChange> {
    // Somebody may have edited it a moment ago.
    await this.#takeFile();
    const values = this.#values();
    const wanted = new Map<string, string>();
    const unknown: string[] = [];
    for (const [name, text] of changes) {
      const key = settingKey(name);
      const now = values.get(name);
      // What is shown may be sent back, secrets left out.
      if (now !== undefined && (text === now || text === withoutSecrets(now))) continue;
      if (key === undefined) {
        unknown.push(name);
        continue;
      }
      const value = normalized(key, text);
      if (value !== now) wanted.set(name, value);
    }
    if (unknown.length > 0)
      throw new UserError(
        400,
        'unknown-settings',
        `not known: ${unknown.map((name) => JSON.stringify(name.slice(0, 100))).join(', ')}. Known are ${SETTING_KEYS.map(({ name }) => name).join(', ')}. Nothing was changed`,
      );
    for (const name of wanted.keys())
      if (settingKey(name)!.effect === 'start')
        throw new UserError(
          400,
          'fixed-setting',
          `${name} is given when the node starts (in the environment, or as a flag), and cannot be changed while it runs. Nothing was changed`,
        );
    return this.#apply(wanted, values, wanted);
  }

  /** Takes what somebody has changed in the file; what cannot work is only told. */
  async #takeFile(): Promise<void> {
    try {
      await this.#takeEdits();
    } catch (error) {
      const reason = withoutSecrets(messageOf(error));
      this.#parts.host.logger.error('settings-refused', {
        file: this.#file,
        reason,
        goesOn: 'with the former settings',
      });
    }
  }

  async #takeEdits(): Promise<void> {
    if (readPropertiesText(this.#file) === this.#text) return;
    const text = await settledText(this.#file);
    if (text === undefined || text === this.#text) return;
    const { logger } = this.#parts.host;
    const before = propertiesOf(this.#text);
    const after = propertiesOf(text);
    const values = this.#values();
    const wanted = new Map<string, string>();
    // Also when it is refused: it is not refused again and again.
    this.#text = text;
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      if (before.get(name) === after.get(name)) continue;
      const key = settingKey(name);
      if (key === undefined) {
        if (after.has(name)) logger.warn('setting-unknown', { key: name });
        continue;
      }
      if (key.effect === 'start') continue;
      const value = normalized(key, after.get(name) ?? '');
      if (value !== values.get(name)) wanted.set(name, value);
    }
    const { changed, warnings } = await this.#apply(wanted, values, new Map());
    if (changed.length > 0) logger.info('settings-changed', { by: 'cluster.properties', changed, warnings });
  }

  /**
   * Changes what is wanted: in memory, at once or by opening the node again, and in the file.
   *
   * @param values   what holds now
   * @param unwritten  which of it the file does not say yet
   */
  async #apply(
    wanted: ReadonlyMap<string, string>,
    values: ReadonlyMap<string, string>,
    unwritten: ReadonlyMap<string, string>,
  ): Promise<SettingsChange> {
    if (wanted.size === 0) return { changed: [], warnings: [] };
    const roleWanted = ROLE_KEYS.some((key) => wanted.has(key));
    const roleKeys = roleWanted ? keysAfter(wanted, (key) => values.get(key)) : new Map<string, string>();
    const steered = new Map([...this.#steered, ...wanted, ...roleKeys]);
    const edited = editProperties(this.#text, fileChanges(unwritten, roleKeys, propertiesOf(this.#text)));
    const next = this.#resolve(edited, steered);
    const differing = optionsThatDiffer(this.#withName(this.#settings), this.#withName(next));
    const warnings = this.#warnings(wanted, next, differing);
    const prepared = edited === this.#text ? undefined : prepareProperties(this.#file, edited);
    const reopens = [...differing].some((option) => !AT_ONCE.has(option));
    const become = () => {
      prepared?.commit();
      this.#text = edited;
      this.#steered = steered;
      this.#settings = next;
    };
    const changedKeys = new Map([...wanted, ...[...roleKeys].filter(([key, value]) => values.get(key) !== value)]);
    const changed = (effect: 'reopened' | 'reopening') =>
      [...changedKeys].map(([key, value]) => {
        const how = settingKey(key)!.effect;
        return {
          key,
          value: withoutSecrets(value),
          effect: how === 'kept' ? ('kept' as const) : how === 'reopen' && reopens ? effect : ('now' as const),
        };
      });
    if (!reopens) {
      become();
      this.node.setRole(next.options.role);
      return { changed: changed('reopened'), warnings };
    }
    const reopening = this.#reopen(next, prepared, become);
    // Whoever comes next waits for it; whoever asked does not wait for ever.
    this.#reopening = reopening;
    const inTime = await Promise.race([
      reopening.then(() => true),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), REOPEN_WAIT_MS).unref()),
    ]);
    return { changed: changed(inTime ? 'reopened' : 'reopening'), warnings };
  }

  /** @throws UserError  409: it does not work like that; the node runs as before, and the file is as it was */
  async #reopen(next: Settings, prepared: PreparedFile | undefined, become: () => void): Promise<void> {
    const { host } = this.#parts;
    const former = { settings: this.#settings, log: this.#log, running: this.#running };
    const options = this.#withName(next);
    let log = former.log;
    const heldOne = holdsLogAlready(host.clusterDir);
    const letGo = async () => {
      if (log === former.log) return;
      await log.close();
      // A log that was begun for this attempt is nobody's.
      if (!heldOne) rmSync(path.join(host.clusterDir, 'log'), { recursive: true, force: true });
    };
    try {
      if (log.key !== logKey(options)) log = await this.#openAnswering(options);
    } catch (error) {
      prepared?.discard();
      throw refused(error);
    }
    host.logger.info('node-reopening', { name: options.name, log: withoutSecrets(options.log) });
    // Only the start of the process adopts: another log that is named by mistake is refused.
    // Until the new node has the door, the former goes on answering what it can from what it has.
    await former.running.node.close().catch((error) => host.logger.error('close-failed', { error }));
    try {
      this.#running = await openRunningNode({ ...options, adopt: false }, log.log, host, this.#live());
      become();
    } catch (error) {
      prepared?.discard();
      const lost = this.#running !== former.running ? this.#running : undefined;
      await lost?.node.close().catch(() => {});
      await letGo();
      await this.#putBack(former, error);
      await lost?.server.detach();
      throw refused(error);
    }
    this.#log = log;
    await former.running.server.detach();
    if (log !== former.log) await former.log.close();
    this.#parts.onName?.(options.name);
    host.logger.info('node-reopened', { name: options.name, role: options.role, position: this.node.position });
  }

  async #openAnswering(options: NodeOptions): Promise<OpenLog> {
    const log = await openLogOf(options, this.#parts.host);
    const tooLate = Promise.withResolvers<never>();
    let last: unknown = new Error(`no answer within ${PROBE_MS / 1000} s`);
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      tooLate.reject(last);
    }, PROBE_MS);
    // A log that was only just begun, or whose servers have just changed, may need several questions.
    const answered = async () => {
      while (!isOver)
        try {
          return await log.log.head();
        } catch (error) {
          if (!(error instanceof UnavailableError) || error.code === 'log-refused') throw error;
          last = error;
          await new Promise((resolve) => setTimeout(resolve, PROBE_PAUSE_MS));
        }
    };
    try {
      await Promise.race([answered(), tooLate.promise]);
      return log;
    } catch (error) {
      await log.close();
      throw new Error(`the log ${withoutSecrets(options.log)} cannot be used: ${messageOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async #putBack(former: { settings: Settings; log: OpenLog; running: RunningNode }, why: unknown): Promise<void> {
    const { host, onLost } = this.#parts;
    host.logger.error('settings-refused', { reason: messageOf(why), goesOn: 'with the former settings' });
    const options = this.#withName(former.settings);
    try {
      this.#running = await openRunningNode(
        { ...options, role: former.running.node.role, adopt: false },
        former.log.log,
        host,
        this.#live(),
      );
      await former.running.server.detach();
    } catch (error) {
      host.logger.error('node-lost', { error });
      onLost(error);
    }
  }

  #warnings(wanted: ReadonlyMap<string, string>, next: Settings, differing: ReadonlySet<string>): string[] {
    const warnings: string[] = [];
    const { input } = this.#parts;
    for (const option of differing) {
      const by = input.sourceOf(option);
      if (by !== undefined)
        warnings.push(`${option} was given by the ${by} when the node started, which wins again at its next start`);
    }
    for (const [key, { variable }] of environmentSettings(input.env))
      if (wanted.has(key)) warnings.push(`the environment has ${variable}, which wins again at the next start`);
    if (this.#settings.options.role === 'both' && next.options.role !== 'both') {
      const { name, url } = this.node.status();
      const others = this.node.members().filter((each) => each.name !== name && each.url !== url);
      if (!others.some(({ role }) => role === 'both'))
        warnings.push('no other primary is heard of now: until a node becomes one, nobody takes changes');
    }
    if (wanted.get('embeddedBroker') === 'enabled' && !holdsLog(next.options.log))
      warnings.push('embeddedBroker=enabled has no effect while brokerURL names a log; empty it to hold one here');
    const broker = wanted.get('brokerURL');
    if (broker !== undefined && broker !== '' && !isFollowable(broker) && next.options.log !== broker)
      throw new UserError(
        400,
        'unknown-log',
        `brokerURL=${withoutSecrets(broker)} is no log that can be followed: ws://host:port, failover:(ws://a:port,ws://b:port), postgres://user@host/database, nats://host:port, stomp://host:61613, or nothing for one that this node holds. Nothing was changed`,
      );
    return warnings;
  }

  async #look(): Promise<void> {
    const found = await stat(this.#file).catch(() => undefined);
    const stamp = found === undefined ? '' : `${found.mtimeMs} ${found.size} ${found.ino}`;
    if (this.#closed || stamp === this.#stamp) return;
    this.#stamp = stamp;
    await this.reread().catch(() => {});
  }
}

function refused(error: unknown): UserError {
  if (error instanceof UserError && error.status === 400)
    return new UserError(400, error.code, `${withoutSecrets(error.message)}. Nothing was changed`, { cause: error });
  return new UserError(
    409,
    'settings-refused',
    `${withoutSecrets(messageOf(error))}. The node goes on with its former settings, and cluster.properties is as it was`,
    { cause: error },
  );
}

/** What to write: what was asked for, and as many of the switches as it takes to say the role. */
function fileChanges(
  unwritten: ReadonlyMap<string, string>,
  roleKeys: ReadonlyMap<string, string>,
  file: ReadonlyMap<string, string>,
): Map<string, string> {
  const changes = new Map([...unwritten].filter(([key]) => !roleKeys.has(key)));
  if (roleKeys.size === 0) return changes;
  const role = roleKeys.get('role') as Role;
  // Who has edited the file by hand has said it already, if at all possible.
  if (unwritten.size === 0 && (roleOf((key) => file.get(key)) ?? 'both') === role) return changes;
  for (const key of ['toggleMaster', 'toggleSlave']) changes.set(key, roleKeys.get(key)!);
  const connection = roleKeys.get('connection')!;
  if (file.has('connection') || connection !== settingKey('connection')!.default) changes.set('connection', connection);
  if (file.has('role') || roleOf((key) => (key === 'role' ? undefined : roleKeys.get(key))) !== role)
    changes.set('role', role);
  // A line that says it already stays as it is written.
  for (const [key, value] of changes) {
    const text = file.get(key);
    if (text !== undefined && text.trim() !== '' && isSame(key, text, value)) changes.delete(key);
  }
  return changes;
}

function isSame(key: string, text: string, value: string): boolean {
  try {
    return normalized(settingKey(key)!, text) === value;
  } catch {
    return false;
  }
}

function optionsThatDiffer(a: NodeOptions, b: NodeOptions): Set<string> {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return new Set(
    [...keys].filter((key) => {
      const [x, y] = [a[key as keyof NodeOptions], b[key as keyof NodeOptions]];
      // A switch that is not given is off.
      return x !== y && !((x ?? false) === false && (y ?? false) === false);
    }),
  );
}

/** The file's text once it stays the same for a moment; undefined when it is gone. */
async function settledText(file: string): Promise<string | undefined> {
  for (let text = readPropertiesText(file); ; ) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const again = readPropertiesText(file);
    if (again === text) return again;
    text = again;
  }
}
