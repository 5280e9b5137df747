import { UserError } from '../../base/index.ts';

/** What a URL says about a log on NATS. */
export interface NatsPlace {
  /** `host:port`, in the order given. */
  readonly servers: readonly string[];
  /** `tls:`: nothing is said to a server that does not encrypt. */
  readonly encrypted: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** File with a user's JWT and seed. */
  readonly creds?: string;
  /** Files in PEM. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Of the streams, when they are made. Default: 3 in a cluster of servers, 1 elsewhere. */
  readonly replicas?: number;
  /** JetStream domain, where the servers are reached through a leaf node. */
  readonly domain?: string;
}

const FORM = /^(nats|tls):\/\/([^?#]*?)\/?(?:\?([^#]*))?$/;
const SERVER = /^(\[[0-9a-f:.]+\]|[^\s:@/[\]]+)(?::(\d{1,5}))?$/i;
const FILES = ['creds', 'ca', 'cert', 'key'] as const;
const DEFAULT_PORT = 4222;

/** Whether this means to be a log on NATS. */
export function isNatsUrl(text: string): boolean {
  return /^(?:nats|tls):\/\//.test(text.trim());
}

/**
 * The parts of `nats://user:password@a:4222,b:4222?replicas=3`; `tls://` insists on encryption. A scheme before each server is
 * taken as well, as NATS' own tools write it.
 *
 * @throws UserError  the text is no such URL; it is not repeated, for secrets may stand in it
 */
export function parseNatsUrl(text: string): NatsPlace {
  const form = FORM.exec(text.trim());
  if (form === null) throw wrong('it does not have that form');
  const [, scheme, list, query = ''] = form;
  let login: string | undefined;
  const servers = list!.split(',').map((each) => {
    const [, before, server] = /^(?:(?:nats|tls):\/\/)?(?:([^/\s()]*)@)?([^@/]*)$/.exec(each.trim()) ?? [];
    if (before !== undefined && login !== undefined && before !== login)
      throw wrong('all servers take the same user and password');
    login ??= before;
    const [, host, port] = SERVER.exec(server ?? '') ?? [];
    if (host === undefined || Number(port ?? DEFAULT_PORT) > 65_535)
      // Where there is a login, this may be a part of it.
      throw wrong(`${list!.includes('@') ? 'one' : JSON.stringify(each)} is no server`);
    return `${host}:${port ?? DEFAULT_PORT}`;
  });
  return { servers, encrypted: scheme === 'tls', ...loginOf(login), ...optionsIn(query) };
}

function loginOf(text: string | undefined): Pick<NatsPlace, 'user' | 'password' | 'token'> {
  if (text === undefined || text === '') return {};
  const colon = text.indexOf(':');
  try {
    if (colon < 0) return { token: decodeURIComponent(text) };
    return { user: decodeURIComponent(text.slice(0, colon)), password: decodeURIComponent(text.slice(colon + 1)) };
  } catch {
    throw wrong('a % in user, password or token is written %25');
  }
}

function optionsIn(query: string): Partial<NatsPlace> {
  const found: Record<string, string | number> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === 'replicas') {
      if (!/^[1-5]$/.test(value)) throw wrong('replicas is a number from 1 to 5');
      found.replicas = Number(value);
    } else if (name === 'domain') {
      if (!/^[^\s.*>]+$/.test(value)) throw wrong('domain is a word without dots');
      found.domain = value;
    } else if ((FILES as readonly string[]).includes(name) && value !== '') found[name] = value;
    else throw wrong(`${name} is none of replicas, domain, ${FILES.join(', ')}, or has no value`);
  }
  if ((found.cert === undefined) !== (found.key === undefined)) throw wrong('cert and key belong together');
  return found;
}

function wrong(reason: string): UserError {
  return new UserError(
    400,
    'bad-log-url',
    `the URL of the log on NATS cannot be used: ${reason}. Write nats://host:4222, nats://user:password@a:4222,b:4222?replicas=3, or tls://host:4222?creds=file`,
  );
}
