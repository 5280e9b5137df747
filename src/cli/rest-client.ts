import type { Readable } from 'node:stream';
import { messageOf, UserError } from '../base/index.ts';
import type { RestOptions } from './history-options.ts';

/** A node's answer that is no success. */
export class RestError extends UserError {
  /** JSON of the answer, when it is JSON. */
  readonly body: unknown;

  constructor(status: number, text: string, body: unknown) {
    super(status, 'refused', text);
    this.name = 'RestError';
    this.body = body;
  }
}

interface Sent {
  readonly json?: unknown;
  readonly body?: Readable;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
}

/**
 * Sends a request to a node's REST API.
 *
 * @param path  below `/rest`
 * @throws UserError  the node does not answer, or (`RestError`) says no
 */
export async function callRest(options: RestOptions, method: string, path: string, sent: Sent = {}): Promise<Response> {
  const { base, authorization } = loginOf(options);
  const url = new URL(`${base}/rest${path}`);
  for (const [name, value] of Object.entries(sent.query ?? {}))
    if (value !== undefined) url.searchParams.set(name, String(value));
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  if (sent.json !== undefined) headers['content-type'] = 'application/json';
  if (sent.body !== undefined) headers['content-type'] = 'application/zstd';
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      headers,
      ...(sent.json !== undefined && { body: JSON.stringify(sent.json) }),
      ...(sent.body !== undefined && { body: sent.body as never, duplex: 'half' }),
    });
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause ? messageOf(cause.cause) : messageOf(cause);
    throw new UserError(503, 'no-answer', `${base} does not answer (${reason}); --url names another node`, { cause });
  }
  if (answer.ok) return answer;
  const text = (await answer.text()).trim();
  if (answer.status === 401)
    throw new RestError(
      401,
      `${base} wants to know who asks, and does not know this user and password: give --user, and the password in GRATICULE_PASSWORD`,
      undefined,
    );
  const body = jsonOf(text);
  const message = (body as { message?: unknown } | undefined)?.message;
  throw new RestError(
    answer.status,
    typeof message === 'string' ? message : text || `${base} answered ${answer.status} to ${method} /rest${path}`,
    body,
  );
}

/** As `callRest`, for an answer in JSON. */
export async function readRest<T>(options: RestOptions, method: string, path: string, sent: Sent = {}): Promise<T> {
  return (await (await callRest(options, method, path, sent)).json()) as T;
}

/** The URL's own user and password give way to the options. */
export function loginOf({ url, user, password }: RestOptions): { base: string; authorization: string | undefined } {
  const parsed = new URL(url);
  const [ownUser, ownPassword] = [decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)];
  parsed.username = '';
  parsed.password = '';
  const base = parsed.href.replace(/\/+$/, '');
  const secret = password ?? (ownPassword || undefined);
  if (secret === undefined && !user && !ownUser) return { base, authorization: undefined };
  const pair = `${user ?? (ownUser || 'admin')}:${secret ?? ''}`;
  return { base, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
