import { createHash } from 'node:crypto';

/** Longest name of a file on every file system, less something for what is added to it. */
const CHARACTERS_MAX = 200;

/**
 * A name as a file can have it, on every system, and different for different names, also where case does not count. Only what is
 * plain stays as it is; the rest is written as the bytes of its UTF-8.
 */
export function fileName(name: string): string {
  const plain = [...Buffer.from(name)]
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      const stays = /[a-z0-9_-]/.test(character) || (character === '.' && index > 0 && index < name.length - 1);
      return stays ? character : `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  if (plain.length <= CHARACTERS_MAX) return plain;
  return `${plain.slice(0, 100)}~${createHash('sha256').update(name).digest('hex')}`;
}
