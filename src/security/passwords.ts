import { createHash, hash, timingSafeEqual } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Whether a password is the one that was encoded. */
export type PasswordCheck =
  | { readonly kind: 'match' | 'mismatch' }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Rounds of SHA-256 in `digest1:`, the first one over salt and password. */
const ROUNDS = 100_000;
const SALT_BYTES = 16;
/** Rounds between two turns of the event loop: about one millisecond. */
const ROUNDS_PER_TURN = 2_000;

/**
 * Encodes a password as `digest1:` and base64 of 16 bytes of salt and 32 bytes of hash, which GeoServer's
 * `digestPasswordEncoder` reads.
 */
export async function encodePassword(password: string, salt: Uint8Array): Promise<string> {
  if (salt.byteLength !== SALT_BYTES) throw new RangeError(`a salt has ${SALT_BYTES} bytes, not ${salt.byteLength}`);
  return `digest1:${Buffer.concat([salt, await digest(password, salt)]).toString('base64')}`;
}

/**
 * Compares a password with its encoded form; takes about 50 ms for `digest1:`, in small steps that let others run.
 *
 * The forms are GeoServer's: `digest1:`, `plain:`, no prefix (the value itself). `crypt1:` and `crypt2:` need the key
 * store of GeoServer's JVM, which cannot be read here. An empty form lets nobody in.
 */
export async function checkPassword(password: string, encoded: string): Promise<PasswordCheck> {
  if (encoded === '') return { kind: 'unreadable', reason: 'the user has no password' };
  const prefix = /^([a-z]+[0-9]*):/.exec(encoded)?.[1];
  switch (prefix) {
    case 'digest1': {
      const bytes = Buffer.from(encoded.slice('digest1:'.length), 'base64');
      if (bytes.length !== SALT_BYTES + 32) return { kind: 'unreadable', reason: 'the stored digest is damaged' };
      const salt = bytes.subarray(0, SALT_BYTES);
      return verdict(timingSafeEqual(await digest(password, salt), bytes.subarray(SALT_BYTES)));
    }
    case 'plain':
      return verdict(sameText(password, encoded.slice('plain:'.length)));
    case 'crypt1':
    case 'crypt2':
      return {
        kind: 'unreadable',
        reason: `the stored password is encrypted (${prefix}:) with the key store of another server; store a new one as digest1: or plain:`,
      };
    default:
      return verdict(sameText(password, encoded));
  }
}

/** Compares two texts in a time that tells nothing about either. */
export function sameText(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function verdict(same: boolean): PasswordCheck {
  return { kind: same ? 'match' : 'mismatch' };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function digest(password: string, salt: Uint8Array): Promise<Buffer> {
  let value: Buffer = createHash('sha256').update(salt).update(password, 'utf8').digest();
  for (let round = 1; round < ROUNDS; round++) {
    value = hash('sha256', value, 'buffer');
    if (round % ROUNDS_PER_TURN === 0) await nextTurn();
  }
  return value;
}
