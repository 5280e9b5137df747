/**
 * The thread of a log in a folder of brokers: the only one of its process that writes records there. Appends that wait are written
 * together, so that they share one file sync and one look whether the term goes on.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Reply, Request } from '../../embedded/protocol.ts';
import { BrokenError, FencedError, Segments } from './segments.ts';
import { isCurrent } from './token.ts';

export interface SegmentWorkerData {
  /** Of the records. */
  readonly folder: string;
  readonly term: number;
  /** File that is there as long as the term goes on. */
  readonly token: string;
}

type Append = Extract<Request, { kind: 'append' }>;

const port = parentPort!;
const { folder, term, token } = workerData as SegmentWorkerData;
const reply = (...messages: Reply[]) => port.postMessage(messages);

let segments: Segments | undefined;
try {
  segments = new Segments(folder, term, () => isCurrent(token));
} catch (error) {
  reply({ kind: 'unusable', message: (error as Error).message });
  port.close();
}
if (segments !== undefined) serve(segments);

function serve(log: Segments): void {
  reply({ kind: 'opened', head: log.head, trimmed: log.trimmed });
  /** Why nothing is written any more. */
  let over: string | undefined;

  port.on('message', (first: readonly Request[]) => {
    const waiting = [...first];
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      waiting.push(...(next.message as readonly Request[]));
    for (let i = 0; i < waiting.length; ) {
      const request = waiting[i]!;
      if (request.kind === 'append') {
        const group: Append[] = [];
        for (; i < waiting.length && waiting[i]!.kind === 'append'; i++) group.push(waiting[i] as Append);
        append(group);
        continue;
      }
      i++;
      answer(request);
    }
  });

  function append(group: readonly Append[]): void {
    const replies: Reply[] = [];
    const bodies: Uint8Array[] = [];
    let next = log.head;
    for (const { id, after, body } of group) {
      if (after === next) {
        bodies.push(body);
        replies.push({ kind: 'appended', id, position: ++next });
      } else replies.push({ kind: 'head-moved', id, head: next });
    }
    try {
      if (over !== undefined) throw new Error(over);
      // Even one that only lost its place hears of a head that is true now.
      if (bodies.length > 0) log.append(bodies);
      else log.check();
      reply(...replies);
    } catch (error) {
      const uncertain = bodies.length > 0 && isEnd(error);
      fail(
        error as Error,
        group.map(({ id }) => id),
        uncertain,
      );
    }
  }

  function answer(request: Exclude<Request, Append>): void {
    const { id } = request;
    try {
      if (request.kind === 'load') load(request);
      else if (request.kind === 'head') {
        if (over !== undefined) throw new Error(over);
        log.check();
        reply({ kind: 'head', id, head: log.head });
      } else if (request.kind === 'trim') {
        if (over !== undefined) throw new Error(over);
        log.trim(request.upTo);
        reply({ kind: 'trimmed', id, trimmed: log.trimmed });
      } else {
        log.close();
        reply({ kind: 'done', id });
        port.close();
      }
    } catch (error) {
      fail(error as Error, [id], false);
    }
  }

  function load({ id, after, bytesMax, recordsMax }: Extract<Request, { kind: 'load' }>): void {
    if (after < log.trimmed) {
      reply({ kind: 'trimmed', id, trimmed: log.trimmed });
      return;
    }
    const records = log.load(after, recordsMax, bytesMax);
    const buffers = records.map(({ body }) => body.buffer as ArrayBuffer);
    port.postMessage([{ kind: 'loaded', id, records } satisfies Reply], [...new Set(buffers)]);
  }

  function fail(error: Error, ids: readonly number[], uncertain: boolean): void {
    if (isEnd(error)) over = error.message;
    const isOver = over !== undefined;
    reply(...ids.map((id): Reply => ({ kind: 'failed', id, message: error.message, uncertain, head: 0, isOver })));
  }
}

/** Whether nothing can be known of the log any more. */
function isEnd(error: unknown): boolean {
  return error instanceof FencedError || error instanceof BrokenError;
}
