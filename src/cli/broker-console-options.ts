import { type OptionTable, parseBaseUrl, wholeNumber } from './options.ts';

/** Where a command finds the brokers. */
export interface BrokerConnectionOptions {
  readonly url: readonly string[];
  readonly user: string;
  readonly password?: string;
  readonly passwordFile?: string;
}

export interface BrokerStatusOptions extends BrokerConnectionOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
}

export interface BrokerRecordsOptions extends BrokerConnectionOptions {
  readonly after?: number;
  readonly limit: number;
  readonly json?: boolean;
}

export interface BrokerPauseOptions extends BrokerConnectionOptions {
  readonly reason?: string;
}

export interface BrokerTrimOptions extends BrokerConnectionOptions {
  readonly upTo?: number;
}

/** Options of every command that speaks to a broker. */
export const BROKER_CONNECTION_OPTIONS: OptionTable = {
  url: {
    flags: '--url <urls>',
    env: 'GRATICULE_BROKER_URL',
    description: 'base URL of any broker on the store, or several with commas between them',
    default: ['http://localhost:7070'],
    defaultText: 'http://localhost:7070',
    parse: (text) => text.split(',').map((url) => parseBaseUrl(url.trim())),
  },
  user: {
    flags: '--user <name>',
    env: 'GRATICULE_BROKER_USER',
    description: 'who logs in: admin, or viewer, who may look and change nothing',
    default: 'admin',
  },
  password: {
    flags: '--password <text>',
    env: 'GRATICULE_BROKER_PASSWORD',
    description: 'password of the user; better in GRATICULE_BROKER_PASSWORD, for others see what is typed here',
  },
  passwordFile: {
    flags: '--password-file <file>',
    env: 'GRATICULE_BROKER_PASSWORD_FILE',
    description: 'file with the password: the one that a broker names at its start',
  },
};

export const BROKER_GROUPS_OPTIONS: OptionTable = {
  ...BROKER_CONNECTION_OPTIONS,
  json: { flags: '--json', description: 'print JSON' },
};

export const BROKER_STATUS_OPTIONS: OptionTable = {
  ...BROKER_GROUPS_OPTIONS,
  watch: {
    flags: '-w, --watch',
    description: 'go on until interrupted: tables that follow the brokers, or a JSON line a second',
  },
};

export const BROKER_RECORDS_OPTIONS: OptionTable = {
  ...BROKER_GROUPS_OPTIONS,
  after: {
    flags: '--after <position>',
    description: 'list the records after this position (default: the newest ones)',
    parse: parsePosition,
  },
  limit: {
    flags: '-n, --limit <count>',
    description: 'how many records',
    default: 20,
    parse: (text) => wholeNumber(text, 1, 500),
  },
};

export const BROKER_PAUSE_OPTIONS: OptionTable = {
  ...BROKER_CONNECTION_OPTIONS,
  reason: { flags: '--reason <text>', description: 'what those whose changes are refused are told' },
};

export const BROKER_TRIM_OPTIONS: OptionTable = {
  ...BROKER_CONNECTION_OPTIONS,
  upTo: {
    flags: '--up-to <position>',
    description: 'trim to the newest snapshot at or below this position (default: the newest of all)',
    parse: parsePosition,
  },
};

function parsePosition(text: string): number {
  return wholeNumber(text, 0, 999_999_999);
}
