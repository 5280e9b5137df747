/**
 * The thread that keeps the records of a log in a folder: the only one of its process that writes there. Appends that wait are written
 * together, so that they share one file sync, and one look whether the term goes on where others may write.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { answerLink, Transferred } from '../../base/index.ts';
import { isCurrent } from './fence.ts';
import { takeOver } from './former.ts';
import {
  type Append,
  buffersOf,
  type Opening,
  type Outcome,
  type Reply,
  type Request,
  type ThreadData,
} from './protocol.ts';
import { BrokenError, FencedError, Segments } from './segments.ts';

const { folder, term, token, former, link } = workerData as ThreadData;
const say = (opening: Opening) => parentPort!.postMessage(opening);

let segments: Segments | undefined;
try {
  segments = new Segments(folder, term ?? Segments.nextTerm(folder), () => token === undefined || isCurrent(token));
  if (former !== undefined) takeOver(former, segments);
} catch (error) {
  say({ kind: 'unusable', message: (error as Error).message });
  segments?.close();
  segments = undefined;
}
if (segments !== undefined) serve(segments);

function serve(log: Segments): void {
  /** Why nothing is written any more. */
  let over: string | undefined;
  let closed = false;
  say({ kind: 'opened', head: log.head, trimmed: log.trimmed });
  answerLink<Request, Reply>(link, {
    answer,
    get done() {
      return closed;
    },
  });

  function answer(request: Request): Reply | Transferred<Reply> {
    let written = false;
    try {
      switch (request.kind) {
        case 'append':
          return append(request.appends, () => {
            written = true;
          });
        case 'load':
          return load(request);
        case 'trim':
          checkOn();
          log.trim(request.upTo);
          return { kind: 'trimmed', trimmed: log.trimmed };
        case 'head':
          checkOn();
          log.check();
          return { kind: 'head', head: log.head };
        case 'close':
          closed = true;
          log.close();
          return { kind: 'done' };
      }
    } catch (error) {
      const isEnd = error instanceof FencedError || error instanceof BrokenError;
      const { message } = error as Error;
      // Who writes alone may go on when the disk does: nobody else has seen what was not acknowledged.
      if (isEnd && token !== undefined) over = message;
      return { kind: 'failed', message, uncertain: written && isEnd, isOver: over !== undefined };
    }
  }

  function append(appends: readonly Append[], onWrite: () => void): Reply {
    checkOn();
    const outcomes: Outcome[] = [];
    const bodies: Uint8Array[] = [];
    let next = log.head;
    for (const { after, body } of appends) {
      if (after === next) {
        bodies.push(body);
        outcomes.push({ kind: 'appended', position: ++next });
      } else outcomes.push({ kind: 'head-moved', head: next });
    }
    if (bodies.length > 0) {
      onWrite();
      log.append(bodies);
    }
    // Even one that only lost its place hears of a head that is true now.
    else log.check();
    return { kind: 'outcomes', outcomes };
  }

  function load({ after, bytesMax, recordsMax }: Extract<Request, { kind: 'load' }>): Reply | Transferred<Reply> {
    if (after < log.trimmed) return { kind: 'trimmed', trimmed: log.trimmed };
    const records = log.load(after, recordsMax, bytesMax);
    return new Transferred({ kind: 'loaded', records }, buffersOf(records));
  }

  function checkOn(): void {
    if (over !== undefined) throw new Error(over);
    log.recover();
  }
}
