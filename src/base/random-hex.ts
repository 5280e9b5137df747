import { randomFillSync } from 'node:crypto';

/** Asking the system once for many ids costs little more than asking for one. */
const POOL_BYTES = 4096;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

/** So many random bytes (up to 64) as lower-case hexadecimal digits: for names that must not meet, not for secrets. */
export function randomHex(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
