import { availableParallelism } from 'node:os';
import { DEFAULT_DISCOVERY_ADDRESS, DEFAULT_GROUP } from '../log/index.ts';
import type { CorsOption, LogLevel } from '../server/index.ts';
import {
  type OptionTable,
  parseBaseUrl,
  parseBytes,
  parseGroup,
  parseOrigins,
  parsePort,
  parseSwitch,
  wholeNumber,
} from './options.ts';

export interface ServeOptions {
  readonly dataDir: string;
  readonly clusterDir?: string;
  readonly port: number;
  readonly host?: string;
  readonly name?: string;
  readonly url?: string;
  readonly role: 'both' | 'replica' | 'paused';
  readonly log: string;
  readonly group: string;
  /** Of the log on ActiveMQ; from `cluster.properties` or its environment. */
  readonly topicName?: string;
  readonly discovery?: 'multicast' | 'off';
  readonly discoveryAddress?: string;
  readonly discoveryInterface?: string;
  readonly secretFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly tlsClientCert?: string;
  readonly tlsClientKey?: string;
  readonly requireClientCert?: boolean;
  readonly adopt?: boolean;
  readonly readOnly?: boolean;
  readonly forwardWrites?: boolean;
  readonly onDrift?: 'publish' | 'restore' | 'refuse';
  readonly onAhead?: 'refuse' | 'publish';
  readonly retainRecords?: number;
  readonly snapshotEvery?: number;
  readonly uploadBytesMax?: number;
  readonly renderProcesses: number;
  readonly proxyBaseUrl?: string;
  readonly trustProxy?: boolean;
  readonly cors?: CorsOption;
  readonly logLevel: LogLevel;
  readonly logFormat?: 'json' | 'text';
}

export const SERVE_OPTIONS: OptionTable = {
  dataDir: {
    flags: '--data-dir <folder>',
    env: 'GEOSERVER_DATA_DIR',
    description: 'data directory; an empty or new folder takes the state of the cluster',
    required: true,
  },
  clusterDir: {
    flags: '--cluster-dir <folder>',
    env: 'CLUSTER_CONFIG_DIR',
    description:
      "folder for this node's own state and its cluster.properties; in CLUSTER_CONFIG_DIR, relative to the data directory",
    defaultText: 'cluster/ in the data directory',
  },
  port: {
    flags: '-p, --port <number>',
    env: 'GRATICULE_PORT',
    description: 'port to listen at; 0 for any',
    default: 8080,
    parse: parsePort,
  },
  host: {
    flags: '--host <address>',
    env: 'GRATICULE_HOST',
    description: 'address to listen at',
    defaultText: 'all addresses of this machine',
  },
  name: {
    flags: '--name <name>',
    env: 'GRATICULE_NAME',
    description: 'name of this node, unique in its cluster and the same at each start',
    defaultText: 'host name and port',
  },
  url: {
    flags: '--url <url>',
    env: 'GRATICULE_URL',
    description: 'base URL that others reach this node at',
    defaultText: 'http://<host name>:<port>/geoserver, or https:// with --tls-cert',
    parse: parseBaseUrl,
  },
  role: {
    flags: '--role <role>',
    env: 'GRATICULE_ROLE',
    description:
      'both: takes changes and follows the log; replica: follows the log; paused: neither, until its role is changed',
    default: 'both',
    choices: ['both', 'replica', 'paused'],
  },
  log: {
    flags: '--log <url>',
    env: 'GRATICULE_LOG',
    description:
      'log of the cluster: embedded: (held by this node), embedded:/shared/folder or embedded:postgres://... (held by one of the nodes that share it), ws://host:port of the node that holds it (wss:// with TLS), failover:(ws://a,ws://b), postgres://user@host/database, nats://a:4222,b:4222, or stomp://host:61613',
    default: 'embedded:',
  },
  group: {
    flags: '--group <name>',
    env: 'GRATICULE_GROUP',
    description: 'name of the cluster: nodes of different groups do not talk to each other',
    default: DEFAULT_GROUP,
    parse: parseGroup,
  },
  discovery: {
    flags: '--discovery <how>',
    env: 'GRATICULE_DISCOVERY',
    description:
      'multicast: find the nodes of the group on the local network; without --log, find the log too, or start it together',
    default: 'off',
    choices: ['multicast', 'off'],
  },
  discoveryAddress: {
    flags: '--discovery-address <address>',
    env: 'GRATICULE_DISCOVERY_ADDRESS',
    description: 'multicast address and port at which nodes announce themselves',
    default: DEFAULT_DISCOVERY_ADDRESS,
  },
  discoveryInterface: {
    flags: '--discovery-interface <address>',
    env: 'GRATICULE_DISCOVERY_INTERFACE',
    description: 'IPv4 address of this machine on the network that is used for it',
    defaultText: 'all networks of this machine',
  },
  secretFile: {
    flags: '--secret-file <file>',
    env: 'GRATICULE_SECRET_FILE',
    description:
      "file with the cluster's secret, read again when it changes; GRATICULE_CLUSTER_SECRET holds the secret itself",
    defaultText: 'cluster/secret in the data directory, made by the node that holds the log',
  },
  tlsCert: {
    flags: '--tls-cert <file>',
    env: 'GRATICULE_TLS_CERT',
    description: 'certificate in PEM, with those between it and its authority: the node then speaks HTTPS',
  },
  tlsKey: { flags: '--tls-key <file>', env: 'GRATICULE_TLS_KEY', description: 'key of --tls-cert, in PEM' },
  tlsCa: {
    flags: '--tls-ca <file>',
    env: 'GRATICULE_TLS_CA',
    description: 'authority that the certificates of the other nodes come from, in PEM',
    defaultText: 'the authorities that Node.js trusts',
  },
  tlsClientCert: {
    flags: '--tls-client-cert <file>',
    env: 'GRATICULE_TLS_CLIENT_CERT',
    description: 'certificate that this node shows to the node that holds the log',
    defaultText: '--tls-cert',
  },
  tlsClientKey: {
    flags: '--tls-client-key <file>',
    env: 'GRATICULE_TLS_CLIENT_KEY',
    description: 'key of --tls-client-cert',
    defaultText: '--tls-key',
  },
  requireClientCert: {
    flags: '--require-client-cert [yes|no]',
    env: 'GRATICULE_REQUIRE_CLIENT_CERT',
    description: 'let only nodes with a certificate of --tls-ca use the log that this node holds',
    parse: parseSwitch,
  },
  adopt: {
    flags: '--adopt [yes|no]',
    env: 'GRATICULE_ADOPT',
    description: "take the cluster's state although the data directory has another; what is there is moved aside",
    parse: parseSwitch,
  },
  readOnly: {
    flags: '--read-only [yes|no]',
    env: 'GRATICULE_READ_ONLY',
    description: 'follow the log in memory and write nothing to the data directory, which another node keeps',
    parse: parseSwitch,
  },
  forwardWrites: {
    flags: '--forward-writes [yes|no]',
    env: 'GRATICULE_FORWARD_WRITES',
    description: 'as a replica, pass changes on to a primary instead of refusing them',
    parse: parseSwitch,
  },
  onDrift: {
    flags: '--on-drift <action>',
    env: 'GRATICULE_ON_DRIFT',
    description:
      'files that were changed by hand while the node was down: publish them as a change, restore what the cluster has, or refuse to start',
    defaultText: 'publish',
    choices: ['publish', 'restore', 'refuse'],
  },
  onAhead: {
    flags: '--on-ahead <action>',
    env: 'GRATICULE_ON_AHEAD',
    description: 'the log has lost records that this node has: refuse to go on, or publish what was lost',
    defaultText: 'refuse',
    choices: ['refuse', 'publish'],
  },
  retainRecords: {
    flags: '--retain-records <number>',
    env: 'GRATICULE_RETAIN_RECORDS',
    description: 'so many records below a snapshot stay in the log, for its history; older ones may be trimmed',
    defaultText: '100000',
    parse: (text) => wholeNumber(text, 1, 999_999_999),
  },
  snapshotEvery: {
    flags: '--snapshot-every <records>',
    env: 'GRATICULE_SNAPSHOT_EVERY',
    description: 'a primary puts a snapshot into the log after so many records',
    defaultText: '10000',
    parse: (text) => wholeNumber(text, 1, 999_999_999),
  },
  uploadBytesMax: {
    flags: '--upload-bytes-max <size>',
    env: 'GRATICULE_UPLOAD_BYTES_MAX',
    description: 'longest upload of data: bytes, or with K, M, G; an archive may unpack to twice as much',
    defaultText: '512M',
    parse: parseBytes,
  },
  renderProcesses: {
    flags: '--render-processes <number>',
    env: 'GRATICULE_RENDER_PROCESSES',
    description: 'processes that draw maps',
    default: Math.min(availableParallelism(), 8),
    parse: (text) => wholeNumber(text, 1, 64),
  },
  proxyBaseUrl: {
    flags: '--proxy-base-url <url>',
    env: 'PROXY_BASE_URL',
    description: 'base URL in all links, instead of the one in the global settings',
  },
  trustProxy: {
    flags: '--trust-proxy [yes|no]',
    env: 'GRATICULE_TRUST_PROXY',
    description: 'believe Forwarded and X-Forwarded-* headers: only behind a proxy that sets them',
    parse: parseSwitch,
  },
  cors: {
    flags: '--cors <origins>',
    env: 'GRATICULE_CORS',
    description: 'origins whose pages may read answers, separated by commas, or *',
    defaultText: 'none',
    parse: parseOrigins,
  },
  logLevel: {
    flags: '--log-level <level>',
    env: 'GRATICULE_LOG_LEVEL',
    description: 'least important event that is logged',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error'],
  },
  logFormat: {
    flags: '--log-format <format>',
    env: 'GRATICULE_LOG_FORMAT',
    description: 'json for machines, text for people',
    defaultText: 'text on a terminal, json elsewhere',
    choices: ['json', 'text'],
  },
};
