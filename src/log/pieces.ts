import type { Readable } from 'node:stream';

/**
 * What is there of a body, again and again. Unlike the body's own iterator, it does not wait for one that cannot be ended. When the
 * signal is aborted, it throws the reason; the body is destroyed in any case.
 */
export async function* pieces(body: Readable, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  let wake = () => {};
  const onEvent = () => wake();
  const events = ['readable', 'end', 'error', 'close'] as const;
  for (const event of events) body.on(event, onEvent);
  // It may fail when nobody listens any more.
  body.on('error', () => {});
  signal?.addEventListener('abort', onEvent);
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (body.errored) throw body.errored;
      const piece = body.read() as Uint8Array | string | null;
      if (piece !== null) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
      else if (body.readableEnded) return;
      else if (body.destroyed) throw new Error('the body was given up');
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    for (const event of events) body.off(event, onEvent);
    signal?.removeEventListener('abort', onEvent);
    body.destroy();
  }
}
