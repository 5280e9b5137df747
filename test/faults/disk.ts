/** Small disks that can be filled: a tmpfs at a node's data directory, where this process may mount one. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import path from 'node:path';

const INSIDE = 'GRATICULE_FAULTS_MOUNTS';

/**
 * Runs this program again where it may mount: in a mount namespace of its own, whose mounts go when it ends, however it ends.
 *
 * @returns its exit code; undefined when this process is already there, or there is no such place
 */
export async function runWhereMountsAreAllowed(): Promise<number | undefined> {
  if (process.env[INSIDE] !== undefined || process.platform !== 'linux') return undefined;
  const flags = process.getuid?.() === 0 ? '-m' : '-rm';
  try {
    execFileSync('unshare', [flags, 'true'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const child = spawn('unshare', [flags, process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: 'namespace' },
  });
  // It ends with this process, however that is told to end.
  process.once('exit', () => child.kill('SIGTERM'));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

export class SmallDisk {
  readonly folder: string;
  readonly #filler: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#filler = path.join(folder, 'cluster', 'filler.tmp');
  }

  /** Mounts a disk of so many MiB; undefined where that is not allowed. */
  static mount(folder: string, mebibytes: number): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'graticule-faults', folder], {
        stdio: 'ignore',
      });
    } catch {
      return undefined;
    }
    return new SmallDisk(folder);
  }

  /** Leaves nothing free. */
  async fill(): Promise<void> {
    mkdirSync(path.dirname(this.#filler), { recursive: true });
    const most = spawn('fallocate', ['-l', String(this.freeBytes), this.#filler], { stdio: 'ignore' });
    await new Promise((resolve) => most.once('close', resolve).once('error', resolve));
    // What is left: less than a page was counted, or somebody has removed a file meanwhile.
    const file = openSync(this.#filler, 'a');
    const block = Buffer.alloc(64 * 1024);
    try {
      for (let size = block.length; size >= 512; ) {
        try {
          if (writeSync(file, block, 0, size) === 0) size /= 2;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          size /= 2;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  unmount(): void {
    execFileSync('umount', ['-l', this.folder], { stdio: 'ignore' });
  }
}
