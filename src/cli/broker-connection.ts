import { readFileSync } from 'node:fs';
import { messageOf, UnavailableError, UserError } from '../base/index.ts';
import type { BrokerStatus } from '../log/index.ts';
import type { BrokerConnectionOptions } from './broker-console-options.ts';
import type { ConnectionOptions } from './connection.ts';
import { readJson } from './requests.ts';

/** A broker that answered, and what it said. */
export interface FoundBroker {
  readonly at: ConnectionOptions;
  readonly status: BrokerStatus;
}

/**
 * The first broker that answers.
 *
 * @throws UnavailableError  none does
 * @throws UserError         the password is wrong
 */
export async function anyBroker(options: BrokerConnectionOptions): Promise<FoundBroker> {
  const login = { user: options.user, password: passwordOf(options), service: 'broker' } as const;
  const failures: UnavailableError[] = [];
  for (const url of options.url) {
    const at = { ...login, url };
    try {
      return { at, status: await readJson<BrokerStatus>(at, '/broker', { timeoutMs: ANSWER_MS }) };
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  throw new UnavailableError('no-answer', `no broker answers: ${failures.map(messageOf).join('; ')}`);
}

/**
 * The active broker, which the first one that answers has heard of.
 *
 * @throws UnavailableError  no broker is active now
 */
export async function activeBroker(options: BrokerConnectionOptions): Promise<FoundBroker> {
  const found = await anyBroker(options);
  if (found.status.state === 'active') return found;
  const active = found.status.brokers.find(({ state, name }) => state === 'active' && name !== found.status.name);
  if (active === undefined)
    throw new UnavailableError(
      'no-active-broker',
      `${found.at.url}: no broker is active now; this one is ${found.status.state}${found.status.reason ? `: ${found.status.reason}` : ''}`,
    );
  const at = { ...found.at, url: active.url };
  return { at, status: await readJson<BrokerStatus>(at, '/broker', { timeoutMs: ANSWER_MS }) };
}

/** Path of a group below `/rest`. */
export function groupPath(group: string, more = ''): string {
  return `/broker/groups/${encodeURIComponent(group)}${more}`;
}

const ANSWER_MS = 5_000;

function passwordOf({ password, passwordFile }: BrokerConnectionOptions): string {
  if (password !== undefined || passwordFile === undefined) return password ?? '';
  try {
    return readFileSync(passwordFile, 'utf8').trim();
  } catch (cause) {
    throw new UserError(400, 'no-password-file', `--password-file ${passwordFile}: ${messageOf(cause)}`, { cause });
  }
}
