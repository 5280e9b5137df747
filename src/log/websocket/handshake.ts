import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { LogPromises } from '../change-log.ts';
import { PROTOCOL } from './wire.ts';

/*
 * Both sides prove that they know a secret of the cluster without sending it: each signs the other's random number, and with it
 * the group, so that a proof for one cluster is none for another that shares the secret.
 *
 *   client  {"protocol":2,"group":"geoserver-cluster","name":"node-2","purpose":"calls","nonce":"..."}
 *   server  {"nonce":"..."}
 *   client  {"proof":"..."}
 *   server  {"proof":"...","promises":{...}}        or at any step   {"refused":"why","code":"secret"}
 *
 * The client signs with the first of its secrets. The server takes a proof by any of its own, and answers with the same one: so
 * secrets are exchanged one node after the other, while all go on (docs/security-of-the-cluster.md).
 *
 * This keeps strangers out. It does not hide or protect what follows: between sites, use wss.
 */

/** The secrets by which the nodes of a cluster know each other. They are asked for at each handshake: they may change. */
export interface ClusterSecrets {
  /** The first is presented to others, all are accepted. Not empty. */
  readonly accepted: readonly string[];
  /** Where they come from, for people: `the file /srv/cluster/secret`. */
  readonly source: string;
}

/** The group of a node that is told none. */
export const DEFAULT_GROUP = 'geoserver-cluster';
export const GROUP_CHARACTERS_MAX = 100;
const NAME_CHARACTERS_MAX = 255;
const NONCE_CHARACTERS = { min: 32, max: 128 };

export type Purpose = 'calls' | 'transfer';

export interface Hello {
  readonly protocol: number;
  readonly group: string;
  readonly name: string;
  readonly purpose: Purpose;
  readonly nonce: string;
}

export interface Challenge {
  readonly nonce: string;
}

export interface Proof {
  readonly proof: string;
}

export interface Welcome extends Proof {
  readonly promises: LogPromises;
}

/** What is wrong, as a word, so that the client can name its own remedy. */
export type RefusalCode =
  | 'secret'
  | 'group'
  | 'version'
  | 'certificate'
  | 'handshake'
  /** Another server of the same logs has them now: this one may have them soon. */
  | 'waiting';

export interface Refused {
  /** For people; it goes on after "this node was refused, because ". */
  readonly refused: string;
  readonly code: RefusalCode;
}

export function secretsOf(secret: string | ClusterSecrets): ClusterSecrets {
  return typeof secret === 'string' ? { accepted: [secret], source: 'the one it was given' } : secret;
}

export function newNonce(): string {
  return randomBytes(32).toString('hex');
}

/** What one side sends to show that it knows the secret. */
export function proofOf(secret: string, side: 'client' | 'server', hello: Hello, challenge: Challenge): string {
  const { group, name, purpose, nonce } = hello;
  const said = ['graticule log', PROTOCOL, side, group, name, purpose, nonce, challenge.nonce];
  return createHmac('sha256', secret).update(JSON.stringify(said)).digest('hex');
}

/** Compares without telling by its duration how much was right. */
export function isProof(given: unknown, expected: string): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** @returns the secret that the client's proof was made with, if it is one of these */
export function secretOfProof(
  given: unknown,
  accepted: readonly string[],
  hello: Hello,
  challenge: Challenge,
): string | undefined {
  // All are compared, so that the duration does not tell which it was.
  let found: string | undefined;
  for (const secret of accepted) if (isProof(given, proofOf(secret, 'client', hello, challenge))) found ??= secret;
  return found;
}

/** A name that can stand in a line of a log. */
export function isName(given: unknown, charactersMax: number = NAME_CHARACTERS_MAX): given is string {
  return typeof given === 'string' && given !== '' && given.length <= charactersMax && !/\p{C}/u.test(given);
}

/**
 * @param group  of the log; undefined: there are logs of several
 * @returns why a hello cannot be accepted, or undefined
 */
export function whyNotHello(hello: Partial<Hello>, group: string | undefined): Refused | undefined {
  const refuse = (code: RefusalCode, refused: string): Refused => ({ code, refused });
  if (hello.protocol !== PROTOCOL)
    return refuse(
      'version',
      `it speaks version ${JSON.stringify(hello.protocol)?.slice(0, 20)} of the protocol, and this log version ${PROTOCOL}`,
    );
  if (!isName(hello.name)) return refuse('handshake', 'it gave no name');
  if (hello.purpose !== 'calls' && hello.purpose !== 'transfer')
    return refuse('handshake', `it asked for ${JSON.stringify(hello.purpose)?.slice(0, 40)}`);
  const { nonce } = hello;
  if (typeof nonce !== 'string' || nonce.length < NONCE_CHARACTERS.min || nonce.length > NONCE_CHARACTERS.max)
    return refuse('handshake', 'it gave no random number');
  if (!isName(hello.group, GROUP_CHARACTERS_MAX))
    return refuse('group', `it names no group${group === undefined ? '' : `, and this log is of ${group}`}`);
  if (group !== undefined && hello.group !== group)
    return refuse('group', `it is of the group ${hello.group}, and this log of the group ${group}`);
  return undefined;
}
