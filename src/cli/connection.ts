import { UnavailableError, UserError } from '../base/index.ts';
import type { Overview } from '../server/index.ts';
import { type OptionTable, parseBaseUrl } from './options.ts';

/** Where a command finds a node or a broker, and who it is there. */
export interface ConnectionOptions {
  readonly url: string;
  readonly user: string;
  readonly password?: string;
  /** Default: a node. */
  readonly service?: 'node' | 'broker';
}

/** What to do about a login that is refused. */
const LOGIN_REMEDIES = {
  node: 'give --user, and the password in GRATICULE_PASSWORD',
  broker: 'give the password in GRATICULE_BROKER_PASSWORD, or its file with --password-file',
};

/** Where the cluster is, for every command that asks it something. */
export const URL_OPTION = {
  flags: '--url <url>',
  env: 'GRATICULE_URL',
  description: 'base URL of any node of the cluster',
  default: 'http://localhost:8080/geoserver',
  parse: parseBaseUrl,
};

/** Options of every command that speaks to a node's REST API. */
export const CONNECTION_OPTIONS: OptionTable = {
  url: URL_OPTION,
  user: { flags: '--user <name>', env: 'GRATICULE_USER', description: 'who logs in', default: 'admin' },
  password: {
    flags: '--password <text>',
    env: 'GRATICULE_PASSWORD',
    description: 'password; better in GRATICULE_PASSWORD, for others see what is typed here',
    defaultText: 'GEOSERVER_ADMIN_PASSWORD',
  },
};

/** How long a node may take to answer, where a command does not say otherwise. */
const ANSWER_MS = 60_000;

export interface RestRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Default: JSON. */
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is; give its type in `headers`. */
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array>;
  readonly timeoutMs?: number;
}

/**
 * Sends a request to the REST API of a node or broker.
 *
 * @param resource  below `/rest`: `/cluster/role`
 * @returns the answer, its status below 400
 * @throws UserError         the node says no; the text is what it says
 * @throws UnavailableError  it does not answer, or cannot do it now
 */
export async function callRest(at: ConnectionOptions, resource: string, request: RestRequest = {}): Promise<Response> {
  const { method = 'GET', json, accept = 'application/json', headers = {}, body, timeoutMs = ANSWER_MS } = request;
  const { url, user, password } = loginOf(at);
  const { service = 'node' } = at;
  let answer: Response;
  try {
    answer = await fetch(`${url}/rest${resource}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
        accept,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? body : JSON.stringify(json),
      signal: AbortSignal.timeout(timeoutMs),
      ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    } as RequestInit);
  } catch (cause) {
    throw new UnavailableError('no-answer', `${url}: it does not answer; --url names another ${service}`, { cause });
  }
  if (answer.ok) return answer;
  const text = messageIn((await answer.text()).trim()).slice(0, 4_000);
  if (answer.status === 401)
    throw new UserError(401, 'login-refused', `${url} does not let ${user} in: ${LOGIN_REMEDIES[service]}`);
  if (answer.status >= 500) throw new UnavailableError('node-refused', `${url}: ${text || answer.status}`);
  throw new UserError(answer.status, 'node-refused', `${url}: ${text || `it answered ${answer.status}`}`);
}

/** The URL without user and password, which may stand in it; they are not for texts. */
export function loginOf(at: ConnectionOptions): {
  readonly url: string;
  readonly user: string;
  readonly password: string;
} {
  const parsed = new URL(at.url);
  const [user, password] = [decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)];
  parsed.username = '';
  parsed.password = '';
  return {
    url: parsed.href.replace(/\/+$/, ''),
    user: user || at.user,
    password: at.password ?? (password || (process.env.GEOSERVER_ADMIN_PASSWORD ?? '')),
  };
}

/** An answer in JSON may have a text for people in it. */
function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}

/**
 * The same connection to the node of this name, which the node at hand has heard of.
 *
 * @throws UserError  404: it has not; or as `callRest`
 */
export async function connectionTo(name: string, at: ConnectionOptions): Promise<ConnectionOptions> {
  const { url } = loginOf(at);
  let known: Overview;
  try {
    const answer = await fetch(`${url}/cluster/overview.json`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    known = (await answer.json()) as Overview;
  } catch (cause) {
    throw new UnavailableError('no-answer', `${url}: it does not answer; --url names another node`, { cause });
  }
  const node = known.nodes.find((each) => each.name === name);
  if (node === undefined)
    throw new UserError(
      404,
      'node-not-found',
      `${known.node} hears of no node ${name}, but of ${known.nodes.map((each) => each.name).join(', ')}`,
    );
  return { ...at, url: node.url };
}
