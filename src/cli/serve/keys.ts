import { UserError } from '../../base/index.ts';
import { DEFAULT_DISCOVERY_ADDRESS, DEFAULT_GROUP, DEFAULT_TOPIC } from '../../log/index.ts';

/**
 * A key of `cluster.properties`. GeoServer's cluster extension has fifteen; the others are ours.
 *
 * @see docs/cluster-settings.md
 */
export interface SettingKey {
  readonly name: string;
  readonly origin: 'GeoServer' | 'Graticule';
  readonly default: string;
  readonly form: Form;
  /** Environment variables that give the value, the first that is set: the extension's own, then those of container images. */
  readonly env: readonly string[];
  /**
   * When a new value holds: `at-once`; `reopen`, by closing and opening the node within the process; `start`, given when the
   * process starts and not to be changed later; `kept`: no effect here, kept for GeoServer.
   */
  readonly effect: 'at-once' | 'reopen' | 'start' | 'kept';
}

/** How a value is written: a text, a whole number, one of some words, or a switch in the words that GeoServer uses for it. */
export type Form = 'text' | 'number' | 'true/false' | 'enabled/disabled' | readonly string[];

const geoserver = (
  name: string,
  value: string,
  form: Form,
  effect: SettingKey['effect'],
  ...env: string[]
): SettingKey => ({ name, origin: 'GeoServer', default: value, form, env: [name, ...env], effect });

const own = (name: string, value: string, form: Form, effect: SettingKey['effect']): SettingKey => ({
  name,
  origin: 'Graticule',
  default: value,
  form,
  env: [],
  effect,
});

/** In the order in which they are shown. */
export const SETTING_KEYS: readonly SettingKey[] = [
  geoserver('instanceName', '', 'text', 'reopen', 'INSTANCE_STRING'),
  geoserver('group', DEFAULT_GROUP, 'text', 'reopen'),
  geoserver('topicName', DEFAULT_TOPIC, 'text', 'reopen'),
  geoserver('brokerURL', '', 'text', 'reopen', 'BROKER_URL'),
  geoserver('embeddedBroker', 'enabled', 'enabled/disabled', 'reopen', 'EMBEDDED_BROKER'),
  geoserver('embeddedBrokerProperties', 'embedded-broker.properties', 'text', 'kept'),
  geoserver('xbeanURL', './broker.xml', 'text', 'kept'),
  geoserver('toggleMaster', 'true', 'true/false', 'at-once', 'TOGGLE_MASTER'),
  geoserver('toggleSlave', 'true', 'true/false', 'at-once', 'TOGGLE_SLAVE'),
  geoserver('readOnly', 'disabled', 'enabled/disabled', 'reopen', 'READONLY'),
  geoserver('durable', 'true', 'true/false', 'kept', 'CLUSTER_DURABILITY'),
  geoserver('connection', 'enabled', 'enabled/disabled', 'at-once'),
  geoserver('connection.retry', '3', 'number', 'kept', 'CLUSTER_CONNECTION_RETRY_COUNT'),
  geoserver('connection.maxwait', '10000', 'number', 'kept', 'CLUSTER_CONNECTION_MAX_WAIT'),
  geoserver('CLUSTER_CONFIG_DIR', '', 'text', 'start'),
  own('role', 'both', ['both', 'replica', 'paused'], 'at-once'),
  own('forwardWrites', 'disabled', 'enabled/disabled', 'at-once'),
  own('discovery', 'off', ['off', 'multicast'], 'reopen'),
  own('discoveryAddress', DEFAULT_DISCOVERY_ADDRESS, 'text', 'reopen'),
  own('discoveryInterface', '', 'text', 'reopen'),
  own('onDrift', 'publish', ['publish', 'restore', 'refuse'], 'reopen'),
  own('onAhead', 'refuse', ['refuse', 'publish'], 'reopen'),
  own('retainRecords', '100000', 'number', 'reopen'),
  own('snapshotEvery', '10000', 'number', 'reopen'),
];

const byName = new Map(SETTING_KEYS.map((key) => [key.name, key]));

export function settingKey(name: string): SettingKey | undefined {
  return byName.get(name);
}

const YES = /^(?:true|enabled|yes|on|1)$/i;
const NO = /^(?:false|disabled|no|off|0)$/i;

/** A switch in any of its words; undefined when the text is none. */
export function switchOf(text: string): boolean | undefined {
  return YES.test(text) ? true : NO.test(text) ? false : undefined;
}

/**
 * A value as GeoServer would write it.
 *
 * @throws UserError  400: the value means nothing
 */
export function normalized(key: SettingKey, text: string): string {
  const value = text.trim();
  const wrong = (expected: string) =>
    new UserError(400, 'bad-setting', `${key.name}=${value.slice(0, 200)}: ${expected} is expected`);
  if (/[\0\r\n]/.test(value)) throw wrong('a text of one line');
  switch (key.form) {
    case 'text':
      return value;
    case 'number':
      if (value !== '' && !/^\d{1,9}$/.test(value)) throw wrong('a whole number');
      return value;
    case 'true/false':
    case 'enabled/disabled': {
      if (value === '') return key.default;
      const on = switchOf(value);
      if (on === undefined) throw wrong(key.form.replace('/', ' or '));
      return on ? key.form.split('/')[0]! : key.form.split('/')[1]!;
    }
    default:
      if (value === '') return key.default;
      if (!key.form.includes(value)) throw wrong(key.form.join(', '));
      return value;
  }
}

/**
 * A text without users and passwords in its URLs, also where a password has characters that should have been escaped: up to the last @
 * of the host part, and, of a database's URL, of the whole.
 */
export function withoutSecrets(text: string): string {
  return text
    .replace(/(postgres(?:ql)?:\/\/)[^\s]*@/gi, '$1')
    .replace(/((?:nats|tls):\/\/)[^\s?]*@/gi, '$1')
    .replace(/((?:stomp|tcp|nio|ssl)[+a-z]*:\/\/)(?:(?!,\s*[+a-z]+:\/\/)[^\s()])*@/gi, '$1')
    .replace(/\/\/[^/\s()]*@/g, '//')
    .replace(/([?&][^=&\s()]*(?:password|secret)[^=&\s()]*=)[^&\s),]*/gi, '$1');
}
