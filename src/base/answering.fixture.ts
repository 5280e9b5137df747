/** A thread that answers in each way. */
import { workerData } from 'node:worker_threads';
import { answerLink, type LinkEnd, Transferred } from './thread-link.ts';

export type Asked =
  | { readonly kind: 'echo'; readonly value: unknown }
  | { readonly kind: 'give'; readonly bytes: number }
  | { readonly kind: 'fail' | 'end' };

let ended = false;

answerLink<Asked, unknown>((workerData as { link: LinkEnd }).link, {
  answer(asked) {
    switch (asked.kind) {
      case 'echo':
        return asked.value;
      case 'give': {
        const bytes = new Uint8Array(asked.bytes).fill(7);
        return new Transferred(bytes, [bytes.buffer]);
      }
      case 'fail':
        throw new Error('as asked');
      case 'end':
        ended = true;
        return 'ended';
    }
  },
  get done() {
    return ended;
  },
});
