import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Assets } from './compile/context.ts';

/** Files of symbols in a folder, named by the hash of what is in them: written once, and never stale. */
export function openAssets(folder: string): Assets {
  const written = new Set<string>();
  return {
    put(bytes, extension) {
      const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
      const file = path.join(folder, `${hash}.${extension}`);
      if (written.has(file)) return file;
      if (!existsSync(file)) {
        mkdirSync(folder, { recursive: true });
        const temporary = `${file}.${process.pid}.tmp`;
        writeFileSync(temporary, bytes);
        renameSync(temporary, file);
      }
      written.add(file);
      return file;
    },
  };
}
