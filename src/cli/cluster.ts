import { UserError } from '../base/index.ts';
import type { SettingsChange } from '../rest/index.ts';
import { CONNECTION_OPTIONS, type ConnectionOptions, callRest, connectionTo } from './connection.ts';
import type { OptionTable } from './options.ts';

export interface ClusterOptions extends ConnectionOptions {
  readonly node?: string;
  readonly json?: boolean;
}

export const ROLE_OPTIONS: OptionTable = {
  ...CONNECTION_OPTIONS,
  json: { flags: '--json', description: 'print JSON' },
};

export const CLUSTER_OPTIONS: OptionTable = {
  ...ROLE_OPTIONS,
  node: { flags: '--node <name>', description: 'the node meant, by name', defaultText: 'the one at --url' },
};

type Changed = SettingsChange & { readonly role: string };

/**
 * `graticule role [NODE] ROLE`: changes a node's role, at once and for its next starts.
 *
 * @throws UserError | UnavailableError  as `callRest`
 */
export async function changeRole(words: readonly string[], options: ClusterOptions): Promise<void> {
  const role = words.at(-1);
  if (words.length > 2 || role === undefined || !['both', 'replica', 'paused'].includes(role))
    throw new UserError(400, 'bad-role', 'write: graticule role [NODE] both|replica|paused');
  const at = words.length === 2 ? await connectionTo(words[0]!, options) : options;
  const answer = await callRest(at, '/cluster/role', { method: 'PUT', json: { role } });
  print((await answer.json()) as Changed, options);
}

/** `graticule cluster get [KEY]`: prints settings of a node as `key=value`, or the value of one. */
export async function getSettings(key: string | undefined, options: ClusterOptions): Promise<void> {
  const answer = await callRest(await chosen(options), '/cluster');
  const { properties } = (await answer.json()) as {
    properties: { property: readonly { readonly '@name': string; readonly '@value': string }[] };
  };
  const all = Object.fromEntries(properties.property.map((each) => [each['@name'], each['@value']]));
  if (key !== undefined && all[key] === undefined)
    throw new UserError(404, 'unknown-setting', `there is no setting ${key}, but ${Object.keys(all).join(', ')}`);
  const shown = key === undefined ? all : { [key]: all[key] };
  if (options.json) console.log(JSON.stringify(shown, undefined, 2));
  else if (key !== undefined) console.log(all[key]);
  else for (const [name, value] of Object.entries(all)) console.log(`${name}=${value}`);
}

/** `graticule cluster set KEY=VALUE ...`: changes settings of a node. */
export async function setSettings(pairs: readonly string[], options: ClusterOptions): Promise<void> {
  const property = pairs.map((pair) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined) throw new UserError(400, 'bad-setting', `${pair}: write KEY=VALUE`);
    return { '@name': name, '@value': value };
  });
  const answer = await callRest(await chosen(options), '/cluster', {
    method: 'POST',
    json: { properties: { property } },
  });
  print((await answer.json()) as Changed, options);
}

async function chosen(options: ClusterOptions): Promise<ConnectionOptions> {
  return options.node === undefined ? options : connectionTo(options.node, options);
}

const EFFECTS: Readonly<Record<SettingsChange['changed'][number]['effect'], string>> = {
  now: '',
  reopened: '  (the node was opened again)',
  reopening: '  (once the node is open again)',
  kept: '  (kept; no effect here)',
};

function print(done: Changed, options: ClusterOptions): void {
  if (options.json) {
    console.log(JSON.stringify(done, undefined, 2));
    return;
  }
  if (done.changed.length === 0) console.log('Nothing to change.');
  for (const { key, value, effect } of done.changed) console.log(`${key}=${value}${EFFECTS[effect]}`);
  for (const warning of done.warnings) console.error(`Warning: ${warning}`);
}
