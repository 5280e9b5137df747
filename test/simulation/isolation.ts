/**
 * Keeps the real world out of a simulation: no threads, whose answers come when they like, and nobody who looks at the real
 * time or throws dice of his own. Without this, a seed would not replay.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { PassThrough } from 'node:stream';

const require = createRequire(import.meta.url);

/** Functions that would make a run depend on something else than its seed. */
const FORBIDDEN: readonly { readonly of: Record<string, unknown>; readonly name: string }[] = [
  { of: Date as never, name: 'now' },
  { of: Math as never, name: 'random' },
  { of: globalThis as never, name: 'setTimeout' },
  { of: globalThis as never, name: 'setInterval' },
  { of: performance as never, name: 'now' },
  { of: AbortSignal as never, name: 'timeout' },
  { of: crypto as never, name: 'randomUUID' },
  { of: crypto as never, name: 'getRandomValues' },
];

/**
 * Runs something in which only simulated time passes. Snapshots travel unpacked meanwhile: zstd streams work in threads.
 * @param onLeak  called with the name of what was forbidden, and used
 */
export async function isolated<T>(onLeak: (name: string) => void, run: () => Promise<T>): Promise<T> {
  const zlib = require('node:zlib') as Record<string, unknown>;
  const undo: (() => void)[] = [];
  const replace = (of: Record<string, unknown>, name: string, value: unknown) => {
    const old = Object.getOwnPropertyDescriptor(of, name);
    Object.defineProperty(of, name, { value, configurable: true, writable: true });
    undo.push(() => (old ? Object.defineProperty(of, name, old) : delete of[name]));
  };
  replace(zlib, 'createZstdCompress', () => new PassThrough());
  replace(zlib, 'createZstdDecompress', () => new PassThrough());
  for (const { of, name } of FORBIDDEN) {
    const real = of[name] as (...args: unknown[]) => unknown;
    replace(of, name, (...args: unknown[]) => {
      onLeak(name);
      return real.apply(of, args);
    });
  }
  syncBuiltinESMExports();
  try {
    return await run();
  } finally {
    for (const step of undo.reverse()) step();
    syncBuiltinESMExports();
  }
}
