import type { LogLevel } from '../server/index.ts';
import { type OptionTable, parsePort, parseSwitch, wholeNumber } from './options.ts';
import { SERVE_OPTIONS } from './serve-options.ts';

export interface BrokerCommandOptions {
  readonly store?: string;
  readonly port: number;
  readonly host?: string;
  readonly name?: string;
  readonly url?: string;
  readonly secretFile?: string;
  readonly passwordFile?: string;
  readonly viewerPasswordFile?: string;
  readonly metricsLogin?: boolean;
  readonly leaseSeconds: number;
  readonly groupsMax: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly requireClientCert?: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat?: 'json' | 'text';
}

const { host, tlsCert, tlsKey, logLevel, logFormat } = SERVE_OPTIONS;

export const BROKER_OPTIONS: OptionTable = {
  // Not mandatory for commander, which would ask for it in the commands below this one as well.
  store: {
    flags: '--store <place>',
    env: 'GRATICULE_BROKER_STORE',
    description:
      'where the logs are kept: a folder, of this machine or shared by several, or postgres://user@host/database',
  },
  port: {
    flags: '-p, --port <number>',
    env: 'GRATICULE_BROKER_PORT',
    description: 'port to listen at, for nodes and for the console; 0 for any',
    default: 7070,
    parse: parsePort,
  },
  host: host!,
  name: {
    flags: '--name <name>',
    env: 'GRATICULE_BROKER_NAME',
    description: 'name of this broker, unique on its store and the same at each start',
    defaultText: 'host name and port',
  },
  // Read by the command alone: for those below it, the variable names all brokers.
  url: {
    flags: '--url <url>',
    env: 'GRATICULE_BROKER_URL',
    description: 'base URL at which people and other brokers reach this one',
    defaultText: 'http://<host name>:<port>, or https:// with --tls-cert',
  },
  secretFile: {
    flags: '--secret-file <file>',
    env: 'GRATICULE_SECRET_FILE',
    description:
      'file with the secret of the nodes that may come in, read again when it changes; GRATICULE_CLUSTER_SECRET holds the secret itself',
    defaultText: 'secret in the folder of --store, made when it is missing',
  },
  passwordFile: {
    flags: '--password-file <file>',
    env: 'GRATICULE_BROKER_PASSWORD_FILE',
    description:
      'file with the password of admin for the console, made when it is missing; GRATICULE_BROKER_PASSWORD holds the password itself',
    defaultText: 'console-password in the folder of --store',
  },
  viewerPasswordFile: {
    flags: '--viewer-password-file <file>',
    env: 'GRATICULE_BROKER_VIEWER_PASSWORD_FILE',
    description:
      'file with the password of viewer, who sees everything and changes nothing; GRATICULE_BROKER_VIEWER_PASSWORD holds the password itself',
    defaultText: 'viewer-password in the folder of --store; no such account where the store is no folder',
  },
  metricsLogin: {
    flags: '--metrics-login [yes|no]',
    env: 'GRATICULE_BROKER_METRICS_LOGIN',
    description: 'give metrics only to those who log in, as admin or viewer',
    parse: parseSwitch,
  },
  leaseSeconds: {
    flags: '--lease-seconds <number>',
    env: 'GRATICULE_BROKER_LEASE_SECONDS',
    description:
      'another broker takes over when the active one gave no sign of life for so long; the same for all brokers on a store',
    default: 5,
    parse: (text) => wholeNumber(text, 1, 600),
  },
  groupsMax: {
    flags: '--groups-max <number>',
    env: 'GRATICULE_BROKER_GROUPS_MAX',
    description: 'most groups (clusters) that may keep a log here',
    default: 100,
    parse: (text) => wholeNumber(text, 1, 10_000),
  },
  tlsCert: tlsCert!,
  tlsKey: tlsKey!,
  tlsCa: {
    flags: '--tls-ca <file>',
    env: 'GRATICULE_TLS_CA',
    description: 'authority that the certificates of the nodes come from, in PEM',
    defaultText: 'the authorities that Node.js trusts',
  },
  requireClientCert: {
    flags: '--require-client-cert [yes|no]',
    env: 'GRATICULE_REQUIRE_CLIENT_CERT',
    description: 'let only nodes with a certificate of --tls-ca come in',
    parse: parseSwitch,
  },
  logLevel: logLevel!,
  logFormat: logFormat!,
};
