import type { Command } from 'commander';
import {
  BROKER_CONNECTION_OPTIONS,
  BROKER_GROUPS_OPTIONS,
  BROKER_PAUSE_OPTIONS,
  BROKER_RECORDS_OPTIONS,
  BROKER_STATUS_OPTIONS,
  BROKER_TRIM_OPTIONS,
  type BrokerConnectionOptions,
  type BrokerPauseOptions,
  type BrokerRecordsOptions,
  type BrokerStatusOptions,
  type BrokerTrimOptions,
} from './broker-console-options.ts';
import { addOptions } from './options.ts';

/** The commands that look at brokers which run, and steer them. */
export function addBrokerCommands(broker: Command): void {
  // What stands after the name of a command is its own, for both have --url; the program says so, too.
  broker.enablePositionalOptions();
  const command = (nameAndArguments: string, description: string) =>
    broker.command(nameAndArguments).description(description);
  addOptions(command('status', 'show the brokers of a store, their groups and nodes'), BROKER_STATUS_OPTIONS).action(
    async (options: BrokerStatusOptions) => (await import('./broker-status.ts')).brokerStatus(options),
  );
  addOptions(
    command('groups [group]', 'list the groups, or show one with its nodes and snapshots'),
    BROKER_GROUPS_OPTIONS,
  ).action(async (group: string | undefined, options: BrokerStatusOptions) =>
    (await import('./broker-status.ts')).brokerGroups(group, options),
  );
  addOptions(
    command('records <group> [position]', 'list the newest records of a group, or show one with what it does to files'),
    BROKER_RECORDS_OPTIONS,
  ).action(async (group: string, position: string | undefined, options: BrokerRecordsOptions) =>
    (await import('./broker-records.ts')).brokerRecords(group, position, options),
  );
  addOptions(
    command('pause <group>', 'let nothing be appended to a group, until it is resumed'),
    BROKER_PAUSE_OPTIONS,
  ).action(async (group: string, options: BrokerPauseOptions) =>
    (await import('./broker-actions.ts')).pauseGroup(group, options),
  );
  addOptions(command('resume <group>', 'end the pause of a group'), BROKER_CONNECTION_OPTIONS).action(
    async (group: string, options: BrokerConnectionOptions) =>
      (await import('./broker-actions.ts')).resumeGroup(group, options),
  );
  addOptions(
    command('trim <group>', 'remove the records and snapshots of a group that are older than a snapshot'),
    BROKER_TRIM_OPTIONS,
  ).action(async (group: string, options: BrokerTrimOptions) =>
    (await import('./broker-actions.ts')).trimGroup(group, options),
  );
  addOptions(
    command('disconnect <group> <node>', 'cut the connections of a node, which may come again'),
    BROKER_CONNECTION_OPTIONS,
  ).action(async (group: string, node: string, options: BrokerConnectionOptions) =>
    (await import('./broker-actions.ts')).disconnectNode(group, node, options),
  );
  addOptions(
    command('takeover [name]', 'hand the active role to a waiting broker: to this one, or to whichever is first'),
    BROKER_CONNECTION_OPTIONS,
  ).action(async (name: string | undefined, options: BrokerConnectionOptions) =>
    (await import('./broker-actions.ts')).takeOver(name, options),
  );
}
