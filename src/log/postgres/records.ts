import { UnavailableError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { type LogRecord, TrimmedError } from '../change-log.ts';
import { LogRefusedError } from '../errors.ts';
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX } from '../feed.ts';
import { headSql } from './appender.ts';
import { after as afterNow } from './bodies.ts';
import type { Tables } from './schema.ts';
import type { Sessions } from './sessions.ts';

/** Records that are removed at a time, so that nobody waits long. */
const TRIM_PORTION = 500;

export interface Page {
  readonly records: readonly LogRecord[];
  /** As of the moment of the page. */
  readonly head: Position;
}

/**
 * Some of the records after a position.
 *
 * @throws TrimmedError  they are no longer there
 */
export async function loadPage(sessions: Sessions, t: Tables, after: Position, timeoutMs: number): Promise<Page> {
  const rows = await sessions.ask(
    {
      name: 'page',
      text: `SELECT ${t.log}.trimmed, ${headSql(t)} AS head, page.position, page.body FROM ${t.log} LEFT JOIN (
          SELECT position, body, sum(octet_length(body)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) AS bytes
          FROM ${t.record} WHERE position > $1::bigint ORDER BY position LIMIT ${BATCH_RECORDS_MAX}
        ) AS page ON page.bytes <= ${BATCH_BYTES_MAX} OR page.position = $1::bigint + 1
        ORDER BY page.position`,
      values: [after],
    },
    timeoutMs,
  );
  if (rows.length === 0) throw new UnavailableError('log-failed', 'the log has no state: its table log is empty');
  const trimmed = Number(rows[0]!.trimmed) as Position;
  if (after < trimmed) throw new TrimmedError(trimmed);
  const records = rows
    .filter((row) => row.position !== null)
    .map((row) => ({ position: Number(row.position) as Position, body: row.body as Uint8Array }));
  const head = Number(rows[0]!.head) as Position;
  const isWhole = records.every(({ position }, index) => position === after + index + 1);
  if (!isWhole || (records.length === 0 && head > after))
    throw new LogRefusedError(
      `the log in the schema ${t.schema} misses records after position ${after}: somebody removed them by hand; restore the database from its backup`,
    );
  return { records, head };
}

export async function trimmedPosition(sessions: Sessions, t: Tables): Promise<Position> {
  const [row] = await sessions.ask(`SELECT trimmed FROM ${t.log}`);
  return Number(row?.trimmed ?? 0) as Position;
}

/**
 * Makes a trim known, in one transaction with the end of the snapshots before it. The records are removed later. No append may be
 * under way: one that has looked at the head before could take the place of a record that was added, and removed, since.
 *
 * @param target  position of a snapshot
 */
export async function markTrimmed(sessions: Sessions, t: Tables, target: Position, graceMs: number): Promise<void> {
  // A number, made from one: several statements in one text, which are one transaction, take no values.
  const to = String(Math.trunc(target));
  await sessions.ask(`
    LOCK TABLE ${t.record} IN SHARE ROW EXCLUSIVE MODE;
    UPDATE ${t.log} SET trimmed = ${to} WHERE trimmed < ${to} AND EXISTS (SELECT FROM ${t.snapshot} WHERE position = ${to});
    WITH gone AS (
      DELETE FROM ${t.snapshot} WHERE position < ${to} AND EXISTS (SELECT FROM ${t.snapshot} WHERE position = ${to})
      RETURNING body)
    INSERT INTO ${t.garbage} (body, due_at) SELECT body, ${afterNow(graceMs)} FROM gone`);
}

/** Removes some of the records that were trimmed. @returns whether there may be more */
export async function removeTrimmed(sessions: Sessions, t: Tables, timeoutMs: number): Promise<boolean> {
  const [row] = await sessions.ask(
    `WITH gone AS (
      DELETE FROM ${t.record} WHERE position IN (
        SELECT position FROM ${t.record} WHERE position <= (SELECT trimmed FROM ${t.log}) ORDER BY position LIMIT ${TRIM_PORTION})
      RETURNING 1)
    SELECT count(*)::int AS count FROM gone`,
    timeoutMs,
  );
  return (row!.count as number) === TRIM_PORTION;
}
