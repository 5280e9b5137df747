import { UserError } from '../../base/index.ts';
import type { Role } from '../../cluster/index.ts';
import { normalized, settingKey, switchOf } from './keys.ts';

/** The keys that say together which role a node has. */
export const ROLE_KEYS = ['toggleMaster', 'toggleSlave', 'connection', 'role'] as const;

type Get = (key: string) => string | undefined;

/**
 * The role that the keys say, or undefined where they say nothing. GeoServer's switches decide:
 *
 * | toggleMaster | toggleSlave | |
 * |---|---|---|
 * | true | true | `both` |
 * | false | true | `replica` |
 * | true | false | a master that only sends: `both`, as it has to follow what it writes to; `paused` if `role` says so |
 * | false or absent | false | `paused` |
 *
 * `connection=disabled` pauses in any case; `role` decides alone where there are no switches.
 *
 * @throws UserError  400: a value means nothing
 */
export function roleOf(get: Get): Role | undefined {
  const role = textOf(get, 'role') as Role | undefined;
  const master = switchValue(get, 'toggleMaster');
  const slave = switchValue(get, 'toggleSlave');
  if (switchValue(get, 'connection') === false) return 'paused';
  if (slave === false) return master === true && role !== 'paused' ? 'both' : 'paused';
  if (master === undefined && slave === undefined) return role;
  return master === false ? 'replica' : 'both';
}

/**
 * What the four keys have to be, so that they say `role`. A paused node keeps `toggleMaster`, so that `toggleSlave=true` makes it
 * again what it was.
 */
export function keysFor(role: Role, get: Get): Map<string, string> {
  const now = roleOf(get);
  const master =
    role === 'both' ? true : role === 'replica' ? false : (switchValue(get, 'toggleMaster') ?? now !== 'replica');
  // A master that only sends is `both` already, and stays as it was written.
  const sendsOnly = role === 'both' && now === 'both' && switchValue(get, 'toggleSlave') === false;
  return new Map([
    ['toggleMaster', String(master)],
    ['toggleSlave', String(role !== 'paused' && !sendsOnly)],
    ['connection', role === 'paused' ? (textOf(get, 'connection') ?? 'enabled') : 'enabled'],
    ['role', role],
  ]);
}

/**
 * The four keys after some of them were changed. Who switches `toggleSlave` off, and says nothing of the master, wants the node
 * to stop following: it is paused.
 *
 * @param get      the values before
 * @throws UserError  400: the changes contradict each other
 */
export function keysAfter(changes: ReadonlyMap<string, string>, get: Get): Map<string, string> {
  const after: Get = (key) => changes.get(key) ?? get(key);
  const named = changes.get('role') as Role | undefined;
  if (named !== undefined) {
    const toggles = ROLE_KEYS.slice(0, 3).filter((key) => changes.has(key));
    const wanted = keysFor(named, get);
    const against = toggles.filter((key) => switchOf(changes.get(key)!) !== switchOf(wanted.get(key)!));
    if (against.length > 0)
      throw new UserError(
        400,
        'contradicting-settings',
        `role=${named} and ${against.map((key) => `${key}=${changes.get(key)}`).join(', ')} contradict each other: give either role, or the switches`,
      );
    return wanted;
  }
  const stopsFollowing = changes.get('toggleSlave') === 'false' && !changes.has('toggleMaster');
  const role = stopsFollowing ? 'paused' : roleOf((key) => (key === 'role' ? undefined : after(key)));
  const keys = new Map(ROLE_KEYS.map((key) => [key as string, after(key) ?? settingKey(key)!.default]));
  keys.set('role', role ?? 'both');
  return keys;
}

function textOf(get: Get, key: string): string | undefined {
  const text = get(key)?.trim();
  return text === undefined || text === '' ? undefined : normalized(settingKey(key)!, text);
}

function switchValue(get: Get, key: string): boolean | undefined {
  const value = textOf(get, key);
  return value === undefined ? undefined : switchOf(value);
}
