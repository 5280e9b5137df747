import { useState } from 'react';
import { contextUrl } from './overview.ts';

/** Who is signed in. Kept in this page's memory alone: closing or reloading the page signs out. */
export interface Session {
  readonly user: string;
  /** Value of the `Authorization` header. */
  readonly authorization: string;
}

/** The node refused, or did not answer; the message is the node's own. */
export class RestError extends Error {
  readonly status: number;
  /** The answer's body, when it is JSON. */
  readonly body: unknown;

  constructor(status: number, message: string, body?: unknown) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** A request to the REST API of the node that serves this page. @throws RestError */
export async function rest(
  session: Session,
  path: string,
  options: { readonly method?: string; readonly json?: unknown; readonly accept?: string } = {},
): Promise<Response> {
  const { method = 'GET', json, accept = 'application/json' } = options;
  const answer = await fetch(new URL(`rest/${path}`, contextUrl), {
    method,
    headers: {
      authorization: session.authorization,
      accept,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: json === undefined ? undefined : JSON.stringify(json),
    cache: 'no-store',
    credentials: 'omit',
  }).catch((cause: unknown) => {
    throw new RestError(0, `the node does not answer: ${String(cause)}`);
  });
  if (answer.ok) return answer;
  const text = await answer.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Most refusals are plain text.
  }
  throw new RestError(answer.status, text.trim() || `the node answered ${answer.status}`, body);
}

/** Signing in asks the node for something that only administrators may see. */
export function useSession(): {
  readonly session: Session | undefined;
  signIn(user: string, password: string): Promise<void>;
  signOut(): void;
} {
  const [session, setSession] = useState<Session>();
  return {
    session,
    async signIn(user, password) {
      const bytes = new TextEncoder().encode(`${user}:${password}`);
      const next = { user, authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
      await rest(next, 'cluster/status.json');
      setSession(next);
    },
    signOut: () => setSession(undefined),
  };
}
