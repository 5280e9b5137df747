#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { UnavailableError, UserError, VERSION } from '../base/index.ts';
import { addBrokerCommands } from './broker-commands.ts';
import { BROKER_OPTIONS, type BrokerCommandOptions } from './broker-options.ts';
import { CLUSTER_OPTIONS, type ClusterOptions, ROLE_OPTIONS } from './cluster.ts';
import { DEMO_OPTIONS, type DemoOptions } from './demo/options.ts';
import {
  BACKUP_OPTIONS,
  type BackupOptions,
  DIFF_OPTIONS,
  type DiffOptions,
  LOG_OPTIONS,
  type LogOptions,
  RESTORE_OPTIONS,
  REVERT_OPTIONS,
  type RestoreOptions,
  type RevertOptions,
  SHOW_OPTIONS,
  type ShowOptions,
} from './history-options.ts';
import { LOG_COPY_OPTIONS, type LogCopyOptions } from './log-copy-options.ts';
import { addOptions } from './options.ts';
import { clusterFolder } from './serve/cluster-folder.ts';
import { keepCompiled } from './serve/compiled.ts';
import { SERVE_OPTIONS, type ServeOptions } from './serve-options.ts';
import { STATUS_OPTIONS, type StatusOptions } from './status.ts';

const program = new Command('graticule')
  .description('A clustered geospatial server that speaks the formats of GeoServer')
  .version(VERSION)
  .showHelpAfterError('(--help lists the options)')
  .enablePositionalOptions()
  .exitOverride();

// Each command loads what it needs and no more.
addOptions(program.command('serve').description('run one node on a data directory'), SERVE_OPTIONS).action(
  async (options: ServeOptions, command: Command) => {
    const sourceOf = (option: string) => {
      const source = command.getOptionValueSource(option);
      return source === 'cli' ? 'command line' : source === 'env' ? 'environment' : undefined;
    };
    keepCompiled(clusterFolder(options, sourceOf('clusterDir')));
    await (await import('./serve.ts')).serve(options, sourceOf);
  },
);
const broker = program
  .command('broker')
  .description('run a log server that clusters share; of several on one store, one is active');
addOptions(broker, BROKER_OPTIONS).action(async (options: BrokerCommandOptions) =>
  (await import('./broker.ts')).broker(options),
);
addBrokerCommands(broker);
addOptions(
  program.command('demo').description('run a cluster on this machine, with a data directory made from Natural Earth'),
  DEMO_OPTIONS,
).action(async (options: DemoOptions) => (await import('./demo/demo.ts')).demo(options));
addOptions(
  program.command('status').description('show the nodes of a cluster, how far they are, and whether they are equal'),
  STATUS_OPTIONS,
).action(async (options: StatusOptions) => (await import('./status.ts')).status(options));
addOptions(
  program
    .command('role')
    .description('change the role of a node: of the one at --url, or of the one of this name')
    .usage('[options] [node] both|replica|paused')
    .argument('<words...>', 'name of a node, then its role; or the role alone'),
  ROLE_OPTIONS,
).action(async (words: string[], options: ClusterOptions) => (await import('./cluster.ts')).changeRole(words, options));
const cluster = program.command('cluster').description("show and change the settings of a node's cluster.properties");
addOptions(
  cluster.command('get').description('print the settings of a node, or one').argument('[key]', 'name of a setting'),
  CLUSTER_OPTIONS,
).action(async (key: string | undefined, options: ClusterOptions) =>
  (await import('./cluster.ts')).getSettings(key, options),
);
addOptions(
  cluster
    .command('set')
    .description('change settings of a node, now and for its next starts')
    .argument('<key=value...>', 'settings; an empty value stands for the default'),
  CLUSTER_OPTIONS,
).action(async (pairs: string[], options: ClusterOptions) =>
  (await import('./cluster.ts')).setSettings(pairs, options),
);
const log = addOptions(
  program.command('log').description('list changes: who, when, from where, what'),
  LOG_OPTIONS,
).action(async (options: LogOptions) => (await import('./log.ts')).log(options));
addOptions(
  log
    .command('copy')
    .description('copy a log to another engine, positions and history included; run again, it goes on')
    .argument('<from>', 'URL of the log; embedded:FOLDER for the cluster/log of a node that is stopped')
    .argument('<to>', 'URL of an empty log, or of one that was begun by this command'),
  LOG_COPY_OPTIONS,
).action(async (from: string, to: string, options: LogCopyOptions) =>
  (await import('./log-copy.ts')).copyCommand(from, to, options),
);
addOptions(
  program
    .command('show')
    .description('show one change with the diff of its files')
    .argument('<position>', '12, 12.2, or an id'),
  SHOW_OPTIONS,
).action(async (position: string, options: ShowOptions) => (await import('./show.ts')).show(position, options));
addOptions(
  program
    .command('diff')
    .description('show how the files of two positions differ')
    .argument('<from>', 'a position')
    .argument('[to]', 'a position (default: the newest)'),
  DIFF_OPTIONS,
).action(async (from: string, to: string | undefined, options: DiffOptions) =>
  (await import('./diff.ts')).diff(from, to, options),
);
addOptions(
  program
    .command('revert')
    .description('take back a change, or everything since a position, as a new change')
    .argument('[position]', '12, 12.2, or an id'),
  REVERT_OPTIONS,
).action(async (position: string | undefined, options: RevertOptions) =>
  (await import('./revert.ts')).revert(position, options),
);
addOptions(
  program
    .command('backup')
    .description('write everything that is replicated into one file')
    .argument('<file>', 'a new file, or a folder'),
  BACKUP_OPTIONS,
).action(async (file: string, options: BackupOptions) => (await import('./backup.ts')).backup(file, options));
addOptions(
  program
    .command('restore')
    .description('bring the files of a backup back: into a new data directory, or into a running cluster as one change')
    .argument('<file>', 'a backup'),
  RESTORE_OPTIONS,
).action(async (file: string, options: RestoreOptions) => (await import('./restore.ts')).restore(file, options));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else if (error instanceof UserError || error instanceof UnavailableError) {
    console.error(`graticule: ${error.message}`);
    process.exit(1);
  } else {
    console.error(error);
    process.exit(1);
  }
}
