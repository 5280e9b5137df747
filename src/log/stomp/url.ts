import { UserError } from '../../base/index.ts';

/** One connector of a broker. */
export interface StompServer {
  readonly host: string;
  readonly port: number;
  /** `stomp+ssl:`, and its other spellings. */
  readonly encrypted: boolean;
}

/** What a URL says about a log on ActiveMQ. */
export interface StompPlace {
  /** In the order given; one at a time is tried. */
  readonly servers: readonly StompServer[];
  readonly user?: string;
  readonly password?: string;
}

const SCHEMES: Readonly<Record<string, boolean>> = {
  stomp: false,
  'stomp+nio': false,
  tcp: false,
  nio: false,
  'stomp+ssl': true,
  'stomp+nio+ssl': true,
  ssl: true,
  'nio+ssl': true,
};
const NAMES = Object.keys(SCHEMES)
  .map((name) => name.replaceAll('+', '\\+'))
  .join('|');
const MEANT = new RegExp(`^(?:failover:(?://)?\\(?)?(?:${NAMES})://`, 'i');
const STOMP = /^(?:failover:(?:\/\/)?\(?)?stomp(?:\+nio)?(?:\+ssl)?:\/\//i;
const FAILOVER = /^failover:(?:\/\/)?(?:\(([^()]*)\)|([^()?]*))(?:\?(.*))?$/i;
const SERVER = new RegExp(
  `^(${NAMES})://(?:([^/\\s()]*)@)?(\\[[0-9a-f:.]+\\]|[^\\s:@/[\\]?]+)(?::(\\d{1,5}))?/?(?:\\?(.*))?$`,
  'i',
);
const DEFAULT_PORT = { plain: 61613, encrypted: 61614 };
/** Where ActiveMQ speaks its own protocol, unless it is told otherwise. */
const OPENWIRE_PORT = 61616;

/** Whether this means to be a log on ActiveMQ, also in the words of GeoServer's extension: `failover:(tcp://host:61613)`. */
export function isStompUrl(text: string): boolean {
  return MEANT.test(text.trim());
}

/** Whether this says STOMP itself, and is not only an address that a broker might have. */
export function saysStomp(text: string): boolean {
  return STOMP.test(text.trim());
}

/**
 * The parts of `stomp://user:password@host:61613`, `stomp+ssl://host`, or `failover:(stomp://a:61613,stomp://b:61613)`. `tcp://` and
 * `ssl://` mean STOMP at that port too, and `jms.userName` and `jms.password` are taken from the query; its other options are the
 * business of other clients.
 *
 * @throws UserError  the text is no such URL; it is not repeated, for secrets may stand in it
 */
export function parseStompUrl(text: string): StompPlace {
  const several = FAILOVER.exec(text.trim());
  const list = several === null ? text.trim() : (several[1] ?? several[2] ?? '');
  let login = loginIn(several?.[3]);
  const servers = (several === null ? [list] : splitServers(list)).map((each): StompServer => {
    const [, scheme, before, host, port, query] = SERVER.exec(each.trim()) ?? [];
    if (scheme === undefined || host === undefined) throw wrong('one of its servers is none');
    const encrypted = SCHEMES[scheme.toLowerCase()]!;
    const number = Number(port ?? (encrypted ? DEFAULT_PORT.encrypted : DEFAULT_PORT.plain));
    if (number > 65_535) throw wrong(`there is no port ${number}`);
    if (!/^stomp/i.test(scheme) && number === OPENWIRE_PORT)
      throw wrong(
        `port ${OPENWIRE_PORT} is that of OpenWire, ActiveMQ's own protocol; a node speaks STOMP, whose connector is at ${DEFAULT_PORT.plain} unless the broker's file says otherwise`,
      );
    const own = before === undefined || before === '' ? loginIn(query) : loginOf(before);
    if (own.user !== undefined) {
      if (login.user !== undefined && (login.user !== own.user || login.password !== own.password))
        throw wrong('all servers take the same user and password');
      login = own;
    }
    return { host: host.replace(/^\[|\]$/g, ''), port: number, encrypted };
  });
  return { servers, ...login };
}

/** A password may hold a comma; a new server begins with its scheme. */
function splitServers(list: string): string[] {
  return list.split(new RegExp(`,\\s*(?=(?:${NAMES})://)`, 'i')).filter((each) => each.trim() !== '');
}

type Login = Pick<StompPlace, 'user' | 'password'>;

function loginOf(text: string): Login {
  const colon = text.indexOf(':');
  try {
    if (colon < 0) return { user: decodeURIComponent(text) };
    return { user: decodeURIComponent(text.slice(0, colon)), password: decodeURIComponent(text.slice(colon + 1)) };
  } catch {
    throw wrong('a % in user or password is written %25');
  }
}

function loginIn(query: string | undefined): Login {
  const options = new URLSearchParams(query ?? '');
  const [user, password] = [options.get('jms.userName'), options.get('jms.password')];
  return user === null ? {} : { user, ...(password === null ? {} : { password }) };
}

function wrong(reason: string): UserError {
  return new UserError(
    400,
    'bad-log-url',
    `the URL of the log on ActiveMQ cannot be used: ${reason}. Write stomp://user:password@host:61613, stomp+ssl://host:61614, or failover:(stomp://a:61613,stomp://b:61613)`,
  );
}
