/** A thread that lists folders: some of them at a time, each call synchronous. */
import * as fs from 'node:fs';
import { answerCalls, plain } from './call-thread.ts';
import { type Listing, STAMP_NUMBERS } from './files.ts';

answerCalls((folders: readonly string[]) =>
  folders.map((folder) => {
    try {
      return list(folder);
    } catch (error) {
      return plain(error);
    }
  }),
);

function list(folder: string): Listing {
  const folders: string[] = [];
  const files: string[] = [];
  const others: { name: string; kind: 'link' | 'other' }[] = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile()) files.push(entry.name);
    else if (entry.isDirectory()) folders.push(entry.name);
    else others.push({ name: entry.name, kind: entry.isSymbolicLink() ? 'link' : 'other' });
  }
  const stamps = new BigInt64Array(files.length * STAMP_NUMBERS);
  for (let n = 0; n < files.length; n++) {
    const stat = fs.lstatSync(`${folder}/${files[n]}`, { bigint: true, throwIfNoEntry: false });
    // A file that has gone meanwhile keeps zeros: whoever reads it will see.
    if (stat === undefined) continue;
    const at = n * STAMP_NUMBERS;
    stamps[at] = stat.size;
    stamps[at + 1] = stat.mtimeNs;
    stamps[at + 2] = stat.ctimeNs;
    stamps[at + 3] = stat.ino;
  }
  return { folders, files, stamps, others };
}
