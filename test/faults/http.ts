/** One REST request, and what can be known of its outcome. */
import { Agent, request } from 'node:http';
import { ADMIN } from '../e2e/harness.ts';

export interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/rest`. */
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly type?: string;
  readonly key?: string;
  /** Hexadecimal digits of a W3C trace id: it goes into the record of the change. */
  readonly trace?: string;
}

export type Outcome =
  | { readonly kind: 'answer'; readonly status: number; readonly position: number; readonly body: Buffer }
  /** Nobody listened: nothing was sent. */
  | { readonly kind: 'unreached' }
  /** The connection broke, or there was no answer in time. */
  | { readonly kind: 'broken'; readonly reason: string };

export const ANSWER_MS_MAX = 5_000;

/** Connections of one client. Nothing is ever sent again without its knowledge. */
export class RestConnections {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });

  ask(url: string, asked: Asked, timeoutMs = ANSWER_MS_MAX): Promise<Outcome> {
    const body = asked.body === undefined ? undefined : Buffer.from(asked.body as string);
    return new Promise((resolve) => {
      const sent = request(`${url}/rest${asked.path}`, {
        method: asked.method,
        agent: this.#agent,
        headers: {
          authorization: ADMIN,
          ...(body && { 'content-type': asked.type ?? 'text/xml', 'content-length': body.length }),
          ...(asked.key && { 'idempotency-key': asked.key }),
          ...(asked.trace && { traceparent: `00-${asked.trace}-00000000000000fa-01` }),
        },
      });
      const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      const end = (outcome: Outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      sent.once('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ECONNREFUSED' ? { kind: 'unreached' } : { kind: 'broken', reason: error.message }),
      );
      sent.once('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', (error) => end({ kind: 'broken', reason: error.message }));
        response.once('aborted', () => end({ kind: 'broken', reason: 'the answer broke off' }));
        response.once('end', () =>
          end({
            kind: 'answer',
            status: response.statusCode!,
            position: Number(response.headers['x-graticule-position'] ?? 0),
            body: Buffer.concat(chunks),
          }),
        );
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
