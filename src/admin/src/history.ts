import { RestError, rest, type Session } from './session.ts';

/** A change as `/rest/cluster/changes` lists it. */
export interface Change {
  /** `12`, or `12.2` where a record holds several. */
  readonly ref: string;
  readonly position: number;
  readonly kind: 'change' | 'genesis';
  /** ISO 8601. */
  readonly at: string;
  readonly by: string;
  readonly address?: string;
  /** Name of the node that made it. */
  readonly node: string;
  readonly why: string;
}

/** A file that later changes touched. */
export interface Conflict {
  readonly path: string;
  readonly reason: string;
  readonly changedBy: readonly string[];
}

/** What is to be taken back: one change, or everything since a position. */
export type Target =
  | { readonly kind: 'change'; readonly ref: string }
  | { readonly kind: 'to'; readonly position: number };

export interface Reverted {
  readonly position: number;
  readonly changed: boolean;
  readonly what: string;
  readonly conflicts: readonly Conflict[];
  /** Of a dry run: what would become of the files. */
  readonly diff?: string;
}

export async function changesOf(
  session: Session,
  query: { readonly path: string; readonly by: string; readonly before?: string },
): Promise<{ readonly changes: readonly Change[]; readonly next?: string }> {
  const given = Object.entries({ ...query, limit: '50' }).filter(([, value]) => value !== undefined && value !== '');
  const answer = await rest(session, `cluster/changes.json?${new URLSearchParams(given as [string, string][])}`);
  const { changes } = (await answer.json()) as { changes: { change: Change[]; next?: string } };
  return { changes: changes.change, ...(changes.next && { next: changes.next }) };
}

/** What a change did to the files, as a unified diff. */
export async function diffOf(session: Session, ref: string): Promise<string> {
  const answer = await rest(session, `cluster/changes/${encodeURIComponent(ref)}/diff`, { accept: 'text/x-diff' });
  return answer.text();
}

export async function revert(
  session: Session,
  options: { readonly target: Target; readonly force: boolean; readonly dryRun: boolean },
): Promise<Reverted> {
  const { target, force, dryRun } = options;
  const what = target.kind === 'change' ? { position: target.ref } : { to: target.position };
  const answer = await rest(session, 'cluster/revert', { method: 'POST', json: { ...what, force, dryRun } });
  return (await answer.json()) as Reverted;
}

/** Why a revert was refused: in words, and by which files. */
export function refusalOf(error: unknown): { readonly message: string; readonly conflicts: readonly Conflict[] } {
  if (error instanceof RestError && error.status === 409 && typeof error.body === 'object' && error.body !== null) {
    const { message, conflicts } = error.body as { message: string; conflicts?: readonly Conflict[] };
    return { message, conflicts: conflicts ?? [] };
  }
  return { message: error instanceof Error ? error.message : String(error), conflicts: [] };
}
