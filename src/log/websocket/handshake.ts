import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { LogPromises } from '../change-log.ts';
import { PROTOCOL } from './wire.ts';

/*
 * Both sides prove that they know the cluster's secret without sending it: each signs the other's random number.
 *
 *   client  {"protocol":1,"name":"node-2","purpose":"calls","nonce":"..."}
 *   server  {"nonce":"..."}
 *   client  {"proof":"..."}
 *   server  {"proof":"...","promises":{...}}        or at any step   {"refused":"why"}
 *
 * This keeps strangers out. It does not hide or protect what follows: between sites, use wss.
 */

export type Purpose = 'calls' | 'transfer';

export interface Hello {
  readonly protocol: number;
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

export interface Refused {
  readonly refused: string;
}

export function newNonce(): string {
  return randomBytes(32).toString('hex');
}

/** What one side sends to show that it knows the secret. */
export function proofOf(secret: string, side: 'client' | 'server', hello: Hello, challenge: Challenge): string {
  const said = ['graticule log', PROTOCOL, side, hello.name, hello.purpose, hello.nonce, challenge.nonce];
  return createHmac('sha256', secret).update(JSON.stringify(said)).digest('hex');
}

/** Compares without telling by its duration how much was right. */
export function isProof(given: unknown, expected: string): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** @returns why a hello cannot be accepted, or undefined */
export function whyNotHello(hello: Partial<Hello>): string | undefined {
  if (hello.protocol !== PROTOCOL)
    return `it speaks version ${hello.protocol} of the protocol, and this node version ${PROTOCOL}`;
  if (typeof hello.name !== 'string' || hello.name.length > 255) return 'it gave no name';
  if (hello.purpose !== 'calls' && hello.purpose !== 'transfer') return `it asked for ${JSON.stringify(hello.purpose)}`;
  if (typeof hello.nonce !== 'string' || hello.nonce.length < 32) return 'it gave no random number';
  return undefined;
}
