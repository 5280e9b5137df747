/** The options of the commands that look at what was changed, and go back. */
import { CONNECTION_OPTIONS, type ConnectionOptions } from './connection.ts';
import { type OptionTable, wholeNumber } from './options.ts';

export interface LogOptions extends ConnectionOptions {
  readonly limit: number;
  readonly before?: string;
  readonly path?: string;
  readonly workspace?: string;
  readonly by?: string;
  readonly node?: string;
  readonly since?: string;
  readonly until?: string;
  readonly why?: string;
  readonly json?: boolean;
}

export interface ShowOptions extends ConnectionOptions {
  readonly path?: string;
  readonly files?: boolean;
  readonly json?: boolean;
}

export interface DiffOptions extends ConnectionOptions {
  readonly path?: string;
}

export interface GoBackOptions extends ConnectionOptions {
  readonly path?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly why?: string;
  readonly json?: boolean;
}

export interface RevertOptions extends GoBackOptions {
  readonly to?: string;
}

export interface BackupOptions extends ConnectionOptions {
  readonly dataDir?: string;
  readonly clusterDir?: string;
}

export interface RestoreOptions extends GoBackOptions, ConnectionOptions {
  readonly dataDir?: string;
}

/** Most changes that `log` lists. */
const LIMIT_MAX = 100_000;

export const LOG_OPTIONS: OptionTable = {
  limit: {
    flags: '-n, --limit <number>',
    description: 'most changes to show',
    default: 20,
    parse: (text) => wholeNumber(text, 1, LIMIT_MAX),
  },
  before: { flags: '--before <position>', description: 'only changes before this one' },
  path: { flags: '--path <path>', description: 'only changes of files at or below this path of the data directory' },
  workspace: { flags: '--workspace <name>', description: 'only changes in this workspace' },
  by: { flags: '--by <user>', description: 'only changes of this user' },
  node: { flags: '--node <name>', description: 'only changes made on this node' },
  since: {
    flags: '--since <time>',
    description: 'a time (2026-05-31, 2026-05-31T12:00Z), or how long ago (90m, 12h, 3d, 2w)',
  },
  until: { flags: '--until <time>', description: 'as --since' },
  why: { flags: '--why <text>', description: 'only changes with this text in what was asked for' },
  json: { flags: '--json', description: 'print JSON' },
  ...CONNECTION_OPTIONS,
};

export const SHOW_OPTIONS: OptionTable = {
  path: { flags: '--path <path>', description: 'only the diff of files at or below this path' },
  files: { flags: '--files', description: 'only which files, no diff' },
  json: { flags: '--json', description: 'print JSON' },
  ...CONNECTION_OPTIONS,
};

export const DIFF_OPTIONS: OptionTable = {
  path: { flags: '--path <path>', description: 'only files at or below this path' },
  ...CONNECTION_OPTIONS,
};

/** Also those of `restore`. */
export const GO_BACK_OPTIONS: OptionTable = {
  dryRun: { flags: '--dry-run', description: 'change nothing; show what would be changed' },
  path: { flags: '--path <path>', description: 'only files at or below this path' },
  force: { flags: '--force', description: 'also where later changes stand in the way' },
  why: { flags: '--why <text>', description: 'reason, for the history' },
  json: { flags: '--json', description: 'print JSON' },
};

export const REVERT_OPTIONS: OptionTable = {
  to: { flags: '--to <position>', description: 'take back everything since this position' },
  ...GO_BACK_OPTIONS,
  ...CONNECTION_OPTIONS,
};

export const BACKUP_OPTIONS: OptionTable = {
  dataDir: {
    flags: '--data-dir <folder>',
    description: 'data directory of a node that is stopped, instead of asking one',
  },
  clusterDir: {
    flags: '--cluster-dir <folder>',
    env: 'CLUSTER_CONFIG_DIR',
    description: "the stopped node's own folder",
    defaultText: 'cluster/ in the data directory',
  },
  ...CONNECTION_OPTIONS,
};

export const RESTORE_OPTIONS: OptionTable = {
  dataDir: {
    flags: '--data-dir <folder>',
    description:
      'a new or empty folder that becomes a data directory; without it, the cluster at --url gets the files as one change',
  },
  ...GO_BACK_OPTIONS,
  ...CONNECTION_OPTIONS,
};
