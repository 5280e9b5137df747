/** What the tests of the store share: stores on a disk in memory, and operations written briefly. */
import type { Clock } from '../base/index.ts';
import { type Tree, TreeStore, treePath } from './index.ts';
import { type MemoryFileSystem, memoryFileSystem } from './memory-files.ts';
import type { FileOperation, Position } from './types.ts';

export const DIR = '/data';
export const bytes = (text: string) => Buffer.from(text);
export const at = (position: number) => position as Position;
export const put = (path: string, text: string): FileOperation => ({
  kind: 'put',
  path: treePath(path),
  content: { kind: 'inline', bytes: bytes(text) },
});
export const del = (path: string): FileOperation => ({ kind: 'delete', path: treePath(path) });
export const move = (from: string, to: string): FileOperation => ({
  kind: 'move',
  from: treePath(from),
  to: treePath(to),
});

/** Sleeps for a turn. */
export const eagerClock: Clock = {
  now: () => 0,
  monotonicMs: () => 0,
  sleep: () => new Promise((resolve) => setImmediate(resolve)),
};

export function memory(files: Record<string, string> = {}): MemoryFileSystem {
  const system = memoryFileSystem();
  system.poke(`${DIR}/x`, '');
  system.poke(`${DIR}/x`, undefined);
  for (const [path, text] of Object.entries(files)) system.poke(`${DIR}/${path}`, text);
  return system;
}

export const open = (system: MemoryFileSystem) => TreeStore.open(DIR, { system, clock: eagerClock });

export async function openBound(
  files: Record<string, string> = {},
): Promise<{ system: MemoryFileSystem; store: TreeStore }> {
  const system = memory(files);
  const store = await open(system);
  await store.bind('log-1');
  await store.flush();
  return { system, store };
}

/** The files of the tree as they are on disk. */
export function onDisk(system: MemoryFileSystem): Record<string, string> {
  const all = Object.entries(system.dump()).map(([path, text]) => [path.slice(DIR.length + 1), text] as const);
  return Object.fromEntries(all.filter(([path]) => !path.startsWith('cluster/')));
}

export function inTree(tree: Tree): Record<string, string> {
  return Object.fromEntries([...tree.walk()].map(([path]) => [path, Buffer.from(tree.read(path)!).toString()]));
}

/** Resolves when the file system has died; the store, which only knows a failing disk, is closed. */
export async function stopped(isDead: () => boolean, store: TreeStore): Promise<void> {
  while (!isDead()) {
    await new Promise((resolve) => setImmediate(resolve));
    if (store.unwritten === 0 && !isDead()) return new Promise(() => {});
  }
  await store.close().catch(() => {});
}
