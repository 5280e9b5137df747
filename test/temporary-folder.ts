/** Folders for tests, below the system's for temporary files; they go when the test's process ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const folders: string[] = [];

/** @param name  part of the folder's name, for people who find it after a crash */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `graticule-${name}-`));
  if (folders.push(folder) === 1) process.once('exit', removeAll);
  return folder;
}

function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
