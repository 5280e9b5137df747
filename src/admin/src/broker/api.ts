/** What a broker answers below `/rest/broker`; times are ISO 8601. */

export type BrokerState = 'starting' | 'active' | 'waiting' | 'stopping';

export interface BrokerPresence {
  readonly name: string;
  /** Base URL of its console. */
  readonly url: string;
  readonly logUrl: string;
  readonly version: string;
  readonly state: BrokerState;
  readonly since: string;
  readonly heardAt?: string;
}

export interface BrokerStatus extends BrokerPresence {
  readonly store: { readonly kind: 'folder' | 'postgresql'; readonly place: string };
  readonly term: number;
  readonly reason?: string;
  readonly startedAt: string;
  readonly room: {
    readonly bytes?: number;
    readonly disk?: { readonly freeBytes: number; readonly totalBytes: number };
    readonly warning?: string;
  };
  readonly brokers: readonly BrokerPresence[];
  /** Who asked. */
  readonly account: { readonly user: string; readonly readOnly: boolean };
}

export interface GroupNode {
  readonly name: string;
  readonly connected: boolean;
  readonly address?: string;
  readonly since: string;
  readonly sent?: number;
  /** Records that it is behind. */
  readonly lag?: number;
  readonly status?: {
    readonly url: string;
    readonly role: 'both' | 'replica' | 'paused';
    readonly version: string;
    readonly position: number;
    readonly digest: string;
    readonly state: string;
    readonly since: string;
    readonly reason?: string;
    readonly lagSeconds: number;
    readonly readOnly: boolean;
  };
}

export interface GroupStatus {
  readonly group: string;
  readonly head: number;
  readonly trimmed: number;
  readonly recordBytes?: number;
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly snapshots: readonly { readonly at: number; readonly size: number; readonly storedAt: string }[];
  readonly paused?: { readonly since: string; readonly by: string; readonly reason?: string };
  readonly nodes: readonly GroupNode[];
  readonly rates: {
    readonly appends: number;
    readonly appendsPerSecond: number;
    readonly appendedBytes: number;
    readonly conflicts: number;
    readonly readRecords: number;
  };
}

export interface RecordSummary {
  readonly position: number;
  readonly bytes: number;
  readonly kind: 'changes' | 'genesis' | 'unreadable' | 'long';
  readonly at?: string;
  readonly node?: string;
  readonly reason?: string;
  readonly changeCount: number;
  readonly changes: readonly ChangeSummary[];
}

export interface ChangeSummary {
  readonly id: string;
  readonly at: string;
  readonly by: string;
  readonly address?: string;
  readonly node: string;
  readonly why: string;
  readonly operationCount: number;
  readonly steps: readonly string[];
}

export interface RecordList {
  readonly head: number;
  readonly trimmed: number;
  readonly after: number;
  readonly records: readonly RecordSummary[];
}

export type Operation =
  | {
      readonly kind: 'put';
      readonly path: string;
      readonly size: number;
      readonly content: 'text' | 'binary' | 'blob' | 'secret' | 'long';
      readonly text?: string;
      readonly hash?: string;
    }
  | { readonly kind: 'delete'; readonly path: string }
  | { readonly kind: 'move'; readonly from: string; readonly to: string };

export interface RecordDetails extends Omit<RecordSummary, 'changes'> {
  readonly digest?: string;
  readonly logId?: string;
  readonly changes: readonly (Omit<ChangeSummary, 'steps'> & { readonly operations: readonly Operation[] })[];
}

/** The broker refused, or did not answer (status 0); the message is its own. */
export class ConsoleError extends Error {
  readonly status: number;
  /** The broker that can do it. */
  readonly active: { readonly name: string; readonly url: string } | undefined;

  constructor(status: number, message: string, active?: ConsoleError['active']) {
    super(message);
    this.status = status;
    this.active = active;
  }
}

/**
 * A request to the broker that serves this page, with the cookie of its session.
 *
 * @param path  below `/rest/broker`
 * @throws ConsoleError
 */
export async function ask<Answer>(
  path: string,
  options: { readonly method?: 'GET' | 'POST' | 'DELETE'; readonly json?: unknown } = {},
): Promise<Answer> {
  const { method = 'GET', json } = options;
  const answer = await fetch(new URL(`rest/broker${path}`, document.baseURI), {
    method,
    headers: {
      accept: 'application/json',
      'x-graticule-console': 'page',
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: json === undefined ? undefined : JSON.stringify(json),
    cache: 'no-store',
    credentials: 'same-origin',
    signal: AbortSignal.timeout(method === 'GET' ? 10_000 : 60_000),
  }).catch((cause: unknown) => {
    const isLate = cause instanceof DOMException && cause.name === 'TimeoutError';
    const why = isLate ? 'it takes too long' : cause instanceof Error ? cause.message : String(cause);
    throw new ConsoleError(0, `the broker does not answer: ${why}`);
  });
  const text = await answer.text();
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    // A proxy in between answers in its own way.
  }
  if (answer.ok) return body as Answer;
  const refusal = (body ?? {}) as { message?: string; active?: ConsoleError['active'] };
  throw new ConsoleError(answer.status, refusal.message ?? `the broker answered ${answer.status}`, refusal.active);
}

/** Path of a group, below `/rest/broker`. */
export function groupPath(group: string, more = ''): string {
  return `/groups/${encodeURIComponent(group)}${more}`;
}
