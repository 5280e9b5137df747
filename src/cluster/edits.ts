import { type Clock, type Logger, messageOf } from '../base/index.ts';
import type { CatalogView, Draft } from '../catalog/index.ts';
import { type ContentHash, contentHash, type Store, type Tree, type TreePath } from '../tree/index.ts';
import type { Origin, WriteRequest, Written } from './types.ts';

/** A file that somebody changed in a data directory, by hand. */
export interface Edit {
  readonly path: TreePath;
  /** What the file was before; undefined when there was none. */
  readonly before: ContentHash | undefined;
  /** What it is now; undefined when it is gone. */
  readonly bytes: Uint8Array | undefined;
}

/** Reads what was changed since the tree was written. */
export async function findEdits(store: Store): Promise<readonly Edit[]> {
  const { changed, added, removed } = await store.drift();
  return editsOf(store, [...changed, ...added, ...removed].sort(), store.tree);
}

/**
 * What files are now, of those that were found to differ. One that is what it was is no edit: a moment ago the disk could not read it.
 *
 * @param before  what they should be
 */
export function editsOf(store: Store, paths: readonly TreePath[], before: Pick<Tree, 'stat'>): readonly Edit[] {
  return paths
    .map((path) => ({ path, before: before.stat(path)?.hash, bytes: store.readDisk(path) }))
    .filter((edit) => (edit.bytes && contentHash(edit.bytes)) !== edit.before);
}

/** The change that makes everybody's files what this directory holds by now; its result is what differed. */
export function publishingWhatIsFound(
  store: Store,
  origin: Origin,
): WriteRequest<readonly Edit[], readonly TreePath[]> {
  return {
    origin,
    prepare: () => findEdits(store),
    // Whatever else was written meanwhile has been written over the edit on disk, or will be: look again.
    stillHolds: (edits, draft) => edits.every((edit) => stillApplies(edit, draft)),
    evaluate(draft, edits) {
      for (const edit of edits) applyEdit(edit, draft);
      return edits.map(({ path }) => path);
    },
  };
}

/**
 * Publishes edits that were found when a node came back, as soon as that is possible; what others have changed since then stays
 * theirs.
 *
 * @param why  what history will say
 */
export async function publishEdits(
  edits: readonly Edit[],
  ports: {
    readonly why: string;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly signal: AbortSignal;
    write(request: WriteRequest<undefined, readonly TreePath[]>): Promise<Written<readonly TreePath[]>>;
  },
): Promise<void> {
  const { why, clock, logger, signal } = ports;
  for (let pauseMs = 100; !signal.aborted; pauseMs = Math.min(5000, pauseMs * 2)) {
    try {
      const { result, position } = await ports.write({
        origin: { by: 'system', why },
        evaluate(draft) {
          const good = edits.filter((edit) => stillApplies(edit, draft));
          for (const edit of good) applyEdit(edit, draft);
          return good.map(({ path }) => path);
        },
      });
      const kept = edits.map(({ path }) => path).filter((path) => !result.includes(path));
      logger.warn('edits-published', { position, paths: result.slice(0, 100), changedByOthers: kept.slice(0, 100) });
      return;
    } catch (error) {
      logger.warn('edits-unpublished', { reason: messageOf(error) });
      await clock.sleep(pauseMs, signal).catch(() => {});
    }
  }
}

/** Whether nobody else has changed the file meanwhile. */
function stillApplies(edit: Edit, view: CatalogView): boolean {
  return view.hash(edit.path) === edit.before;
}

function applyEdit(edit: Edit, draft: Draft): void {
  if (edit.bytes) draft.put(edit.path, edit.bytes);
  else draft.delete(edit.path);
}
