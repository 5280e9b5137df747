#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { UnavailableError, UserError, VERSION } from '../base/index.ts';
import { CLUSTER_OPTIONS, type ClusterOptions, ROLE_OPTIONS } from './cluster.ts';
import { DEMO_OPTIONS, type DemoOptions } from './demo/options.ts';
import { addOptions } from './options.ts';
import { SERVE_OPTIONS, type ServeOptions } from './serve-options.ts';
import { STATUS_OPTIONS, type StatusOptions } from './status.ts';

const program = new Command('graticule')
  .description('A clustered geospatial server that speaks the formats of GeoServer')
  .version(VERSION)
  .showHelpAfterError('(--help lists the options)')
  .exitOverride();

// Each command loads what it needs and no more.
addOptions(program.command('serve').description('run one node on a data directory'), SERVE_OPTIONS).action(
  async (options: ServeOptions, command: Command) =>
    (await import('./serve.ts')).serve(options, (option) => {
      const source = command.getOptionValueSource(option);
      return source === 'cli' ? 'command line' : source === 'env' ? 'environment' : undefined;
    }),
);
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
