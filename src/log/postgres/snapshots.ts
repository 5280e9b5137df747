import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Position } from '../../tree/index.ts';
import type { SnapshotBody, SnapshotInfo } from '../change-log.ts';
import { after, type BodyParts, chunksOf, readBody } from './bodies.ts';

/** A snapshot that is not complete after so long never will be. */
const INCOMING_KEPT_MS = 24 * 3600 * 1000;

/** Snapshots: a row each, and their bytes in chunks. Until it is complete, a snapshot is garbage that is not due yet. */
export class Snapshots {
  readonly #parts: BodyParts;

  constructor(parts: BodyParts) {
    this.#parts = parts;
  }

  async put(at: Position, source: Readable): Promise<void> {
    const { sessions, tables, slots, closing, chunkWaitMs } = this.#parts;
    const body = randomUUID();
    try {
      await sessions.ask({
        text: `INSERT INTO ${tables.garbage} (body, due_at) VALUES ($1, ${after(INCOMING_KEPT_MS)}) ON CONFLICT DO NOTHING`,
        values: [body],
      });
      let size = 0;
      for await (const chunk of chunksOf(source, closing)) {
        const statement = {
          text: `INSERT INTO ${tables.chunk} (body, start, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
          values: [body, size, chunk],
        };
        await slots.run(() => sessions.ask(statement, chunkWaitMs));
        size += chunk.length;
      }
      // False: another one at the same position has just come, and is not to be lost sight of.
      while (!(await this.#publish(at, body, size)));
    } catch (error) {
      source.destroy();
      const statement = {
        text: `UPDATE ${tables.garbage} SET due_at = clock_timestamp() WHERE body = $1`,
        values: [body],
      };
      await sessions.ask(statement).catch(() => {});
      throw error;
    }
  }

  async latest(upTo: Position | undefined): Promise<SnapshotBody | undefined> {
    const { sessions, tables } = this.#parts;
    const [row] = await sessions.ask({
      text: `SELECT position, body, size FROM ${tables.snapshot} WHERE $1::bigint IS NULL OR position <= $1::bigint
        ORDER BY position DESC LIMIT 1`,
      values: [upTo ?? null],
    });
    if (row === undefined) return undefined;
    const body = Readable.from(readBody(this.#parts, row.body as string, 0, Number(row.size)), { objectMode: false });
    return { at: Number(row.position) as Position, body };
  }

  /** Ascending. */
  async list(): Promise<readonly SnapshotInfo[]> {
    const { sessions, tables } = this.#parts;
    const rows = await sessions.ask(
      `SELECT position, size, (extract(epoch FROM stored_at) * 1000)::bigint AS stored_ms FROM ${tables.snapshot} ORDER BY position`,
    );
    return rows.map((row) => ({
      at: Number(row.position) as Position,
      size: Number(row.size),
      storedAt: new Date(Number(row.stored_ms)).toISOString(),
    }));
  }

  async #publish(at: Position, body: string, size: number): Promise<boolean> {
    const { sessions, tables, graceMs } = this.#parts;
    const rows = await sessions.ask({
      text: `WITH old AS (SELECT body FROM ${tables.snapshot} WHERE position = $1 FOR UPDATE),
        put AS (
          INSERT INTO ${tables.snapshot} AS snapshot (position, body, size, stored_at)
          VALUES ($1, $2, $3, date_trunc('milliseconds', clock_timestamp()))
          ON CONFLICT (position) DO UPDATE
            SET body = excluded.body, size = excluded.size, stored_at = excluded.stored_at
            WHERE snapshot.body = (SELECT body FROM old)
          RETURNING true),
        kept AS (DELETE FROM ${tables.garbage} WHERE body = $2 AND EXISTS (SELECT FROM put)),
        replaced AS (
          INSERT INTO ${tables.garbage} (body, due_at)
          SELECT body, ${after(graceMs)} FROM old WHERE body <> $2 AND EXISTS (SELECT FROM put))
        SELECT true FROM put`,
      values: [at, body, size],
    });
    return rows.length > 0;
  }
}
