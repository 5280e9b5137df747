import { messageOf } from '../base/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import type { ContentHash, TreePath } from '../tree/index.ts';
import { parseXml, type XmlElement } from '../xml/index.ts';
import { parseProperties } from './properties.ts';

/** Role of an administrator, whatever a role service calls it in its own file. */
export const ROLE_ADMINISTRATOR = 'ROLE_ADMINISTRATOR';
export const ROLE_GROUP_ADMIN = 'ROLE_GROUP_ADMIN';
/** Everybody who has logged in. */
export const ROLE_AUTHENTICATED = 'ROLE_AUTHENTICATED';
/** Everybody. */
export const ROLE_ANONYMOUS = 'ROLE_ANONYMOUS';

export interface User {
  readonly name: string;
  /** As stored, with its prefix. */
  readonly password: string;
  readonly enabled: boolean;
}

/** Users and roles as the files of a data directory say. */
export interface Registry {
  /** By name, the first service's first. A name that several services know is there several times. */
  users(name: string): readonly User[];
  readonly userCount: number;
  /** All roles of a user: given, by group, inherited, and the system roles that follow. */
  rolesOf(userName: string): ReadonlySet<string>;
  /** Files that could not be read. */
  readonly problems: readonly string[];
  /** Every file that was looked at, and what it held; undefined for one that is not there. */
  readonly sources: ReadonlyMap<TreePath, ContentHash | undefined>;
}

type Files = Pick<CatalogView, 'read' | 'hash'>;

/**
 * Reads the users and roles of a data directory: `security/config.xml` names the providers and the role service, these
 * name their files. What is missing has GeoServer's default: one service called `default`. A directory of GeoServer 1.x
 * or 2.1 has `users.properties` instead.
 *
 * A file that cannot be read gives nobody a right, and is reported in `problems`.
 */
export function readRegistry(files: Files): Registry {
  const reader = new Reader(files);
  const users: User[] = [];
  const memberships = new Map<string, Set<string>>();
  for (const service of userGroupServices(reader)) readUsers(reader, service, users, memberships);
  const roles = readRoles(reader);
  const old = reader.read('security/users.properties');
  if (users.length === 0 && old !== undefined) readOldUsers(old, users, roles);

  const byName = Map.groupBy(users, (user) => user.name);
  return {
    users: (name) => byName.get(name) ?? [],
    userCount: users.length,
    rolesOf: (name) => effectiveRoles(name, memberships.get(name) ?? new Set(), roles),
    problems: reader.problems,
    sources: reader.sources,
  };
}

/** Whether the files that a registry was read from are still the same; a few look-ups in memory. */
export function isCurrent(registry: Registry, files: Files): boolean {
  for (const [path, hash] of registry.sources) if (files.hash(path) !== hash) return false;
  return true;
}

class Reader {
  readonly problems: string[] = [];
  readonly sources = new Map<TreePath, ContentHash | undefined>();
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  read(file: string): Uint8Array | undefined {
    const path = file as TreePath;
    this.sources.set(path, this.#files.hash(path));
    return this.#files.read(path);
  }

  xml(file: string): XmlElement | undefined {
    const bytes = this.read(file);
    if (bytes === undefined) return undefined;
    try {
      return parseXml(bytes).root;
    } catch (error) {
      this.problems.push(`${file}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

/** A name out of a file that becomes part of a path. */
function segment(name: string | undefined, otherwise: string): string {
  return name === undefined || name === '' || name === '..' || name === '.' || /[/\\\0]/.test(name) ? otherwise : name;
}

function userGroupServices(reader: Reader): string[] {
  const config = reader.xml('security/config.xml');
  const providers = config?.child('authProviderNames')?.childrenNamed('string') ?? [];
  const names = providers.length > 0 ? providers.map((provider) => provider.text.trim()) : ['default'];
  const services = names.map((name) => {
    const provider = reader.xml(`security/auth/${segment(name, 'default')}/config.xml`);
    return segment(provider?.childText('userGroupServiceName'), 'default');
  });
  return [...new Set(services)];
}

function readUsers(reader: Reader, service: string, users: User[], memberships: Map<string, Set<string>>): void {
  const folder = `security/usergroup/${service}`;
  const fileName = segment(reader.xml(`${folder}/config.xml`)?.childText('fileName'), 'users.xml');
  const registry = reader.xml(`${folder}/${fileName}`);
  for (const user of registry?.child('users')?.childrenNamed('user') ?? []) {
    const name = user.attribute('name');
    if (name === undefined) continue;
    users.push({
      name,
      password: user.attribute('password') ?? '',
      enabled: user.attribute('enabled')?.trim() !== 'false',
    });
  }
  for (const group of registry?.child('groups')?.childrenNamed('group') ?? []) {
    const groupName = group.attribute('name');
    if (groupName === undefined || group.attribute('enabled')?.trim() === 'false') continue;
    for (const member of group.childrenNamed('member')) {
      const userName = member.attribute('username');
      if (userName !== undefined) addTo(memberships, userName, groupName);
    }
  }
}

interface Roles {
  readonly ofUser: Map<string, Set<string>>;
  readonly ofGroup: Map<string, Set<string>>;
  readonly parent: Map<string, string>;
  readonly adminRole: string;
  readonly groupAdminRole: string;
}

function readRoles(reader: Reader): Roles {
  const service = segment(reader.xml('security/config.xml')?.childText('roleServiceName'), 'default');
  const folder = `security/role/${service}`;
  const config = reader.xml(`${folder}/config.xml`);
  const registry = reader.xml(`${folder}/${segment(config?.childText('fileName'), 'roles.xml')}`);
  const roles: Roles = {
    ofUser: new Map(),
    ofGroup: new Map(),
    parent: new Map(),
    adminRole: config === undefined ? 'ADMIN' : (config.childText('adminRoleName') ?? ''),
    groupAdminRole: config === undefined ? 'GROUP_ADMIN' : (config.childText('groupAdminRoleName') ?? ''),
  };
  for (const role of registry?.child('roleList')?.childrenNamed('role') ?? []) {
    const id = role.attribute('id');
    const parent = role.attribute('parentID');
    if (id !== undefined && parent !== undefined && parent !== '') roles.parent.set(id, parent);
  }
  const given = (list: string, item: string, key: string, to: Map<string, Set<string>>) => {
    for (const entry of registry?.child(list)?.childrenNamed(item) ?? []) {
      const name = entry.attribute(key);
      if (name === undefined) continue;
      for (const reference of entry.childrenNamed('roleRef')) {
        const role = reference.attribute('roleID');
        if (role !== undefined) addTo(to, name, role);
      }
    }
  };
  given('userList', 'userRoles', 'username', roles.ofUser);
  given('groupList', 'groupRoles', 'groupname', roles.ofGroup);
  return roles;
}

/** Lines `name=password,ROLE,...[,enabled|disabled]`. */
function readOldUsers(bytes: Uint8Array, users: User[], roles: Roles): void {
  for (const [name, value] of parseProperties(bytes)) {
    const [password = '', ...rest] = value.split(',').map((part) => part.trim());
    users.push({ name, password: `plain:${password}`, enabled: rest.at(-1)?.toLowerCase() !== 'disabled' });
    for (const role of rest) if (!/^(?:enabled|disabled)$/i.test(role)) addTo(roles.ofUser, name, role);
  }
}

function effectiveRoles(user: string, groups: ReadonlySet<string>, roles: Roles): ReadonlySet<string> {
  const all = new Set<string>();
  const add = (first: string) => {
    // A role has what its parent has; the set ends a circle of parents.
    for (let role: string | undefined = first; role !== undefined && !all.has(role); role = roles.parent.get(role))
      all.add(role);
  };
  for (const role of roles.ofUser.get(user) ?? []) add(role);
  for (const group of groups) for (const role of roles.ofGroup.get(group) ?? []) add(role);
  if (roles.adminRole !== '' && all.has(roles.adminRole)) all.add(ROLE_ADMINISTRATOR);
  if (roles.groupAdminRole !== '' && all.has(roles.groupAdminRole)) all.add(ROLE_GROUP_ADMIN);
  return all.add(ROLE_AUTHENTICATED).add(ROLE_ANONYMOUS);
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}
