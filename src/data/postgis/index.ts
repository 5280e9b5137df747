import { createHash } from 'node:crypto';
import type { Parameters } from '../parameters.ts';
import type { VectorStore } from '../types.ts';
import { databaseError, type PoolRegistry } from './pools.ts';
import { type Relation, readTable, readView, relationNames } from './schema.ts';
import { postgisSettings } from './settings.ts';
import { PostgisSource } from './source.ts';

export interface PostgisContext {
  readonly pools: PoolRegistry;
}

/** Schemas of tables are read again after this long: tables change under a running server. */
const RELATION_MS_MAX = 60_000;
/** SQL views in use at a time; beyond it the one that was read first is read again when it is needed. */
const RELATIONS_MAX = 1000;

/**
 * Tables, views and SQL views of a PostGIS database. Sessions are read-only, and statements are given up after a minute.
 *
 * @throws DataError  parameters that cannot be used; the database itself is not asked before there is a question
 */
export function openPostgis(parameters: Parameters, context: PostgisContext): VectorStore {
  const settings = postgisSettings(parameters);
  const shared = context.pools.acquire(settings.connection);
  const relations = new Map<string, { source: Promise<PostgisSource>; readAtMs: number }>();
  return {
    async names() {
      try {
        return await relationNames(shared.pool, settings.schema);
      } catch (error) {
        throw databaseError(error, settings.connection, 'the list of tables');
      }
    },
    async source(nativeName, virtualTable) {
      const key = createHash('sha256')
        .update(JSON.stringify([nativeName, virtualTable]))
        .digest('hex');
      const now = performance.now();
      const known = relations.get(key);
      if (known !== undefined && now - known.readAtMs < RELATION_MS_MAX) return known.source;
      relations.delete(key);
      const forget = () => relations.delete(key);
      const { schema, exposePrimaryKeys } = settings;
      const relation: Promise<Relation> =
        virtualTable === undefined
          ? readTable(shared.pool, { schema, name: nativeName, exposePrimaryKeys })
          : readView(shared.pool, virtualTable);
      const source = relation.then(
        (found) => new PostgisSource({ pool: shared.pool, settings, relation: found, onStale: forget }),
        (error: unknown) => {
          throw databaseError(
            error,
            settings.connection,
            virtualTable === undefined ? `table ${nativeName}` : `SQL view ${nativeName}`,
          );
        },
      );
      relations.set(key, { source, readAtMs: now });
      source.catch(forget);
      const oldest = relations.keys().next().value;
      if (relations.size > RELATIONS_MAX && oldest !== undefined) relations.delete(oldest);
      return source;
    },
    close: () => shared.release(),
  };
}
