import { hash } from 'node:crypto';
import type { ContentHash, Digest, TreePath } from './types.ts';

/*
 * The digest of a tree is the sum, modulo 2^256, of SHA-256(path NUL content hash) over its files. A sum does not depend on
 * the order of the files, and a change costs one subtraction and one addition a file. It tells trees apart that differ by
 * accident; it is no defence against somebody who makes up files until sums meet.
 */

const MODULUS = 1n << 256n;

export function contentHash(bytes: Uint8Array): ContentHash {
  return hash('sha256', bytes, 'hex') as ContentHash;
}

/** @throws TypeError  not 64 lower-case hexadecimal digits */
export function asContentHash(text: string): ContentHash {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new TypeError(`${JSON.stringify(text)} is not a SHA-256 in lower-case hexadecimal`);
  return text as ContentHash;
}

/** What one file adds to the sum. */
export function weightOf(path: TreePath, content: ContentHash): bigint {
  return BigInt(`0x${hash('sha256', `${path}\0${content}`, 'hex')}`);
}

export function wrapSum(sum: bigint): bigint {
  const rest = sum % MODULUS;
  return rest < 0n ? rest + MODULUS : rest;
}

/** @param sum  0 to 2^256 - 1, see `wrapSum` */
export function digestOf(sum: bigint): Digest {
  return sum.toString(16).padStart(64, '0') as Digest;
}

export const EMPTY_DIGEST: Digest = digestOf(0n);
