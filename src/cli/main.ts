#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { UnavailableError, UserError, VERSION } from '../base/index.ts';
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
