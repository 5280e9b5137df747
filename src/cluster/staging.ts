import { messageOf, UnavailableError, UserError } from '../base/index.ts';
import type { Draft } from '../catalog/index.ts';
import { type ContentHash, contentHash, INLINE_BYTES_MAX, type Store, type TreePath } from '../tree/index.ts';

/** Contents that a change may put somewhere; what is long lies on this node's disk. */
export interface StagedFile {
  readonly hash: ContentHash;
  /** Bytes. */
  readonly size: number;
  /** Bytes that are held in memory: `size` when the contents are short, 0 otherwise. */
  readonly bytesInMemory: number;
  /** Puts the contents at a place in the tree. */
  putInto(draft: Draft, path: TreePath): void;
  /** They are no longer needed, unless a change has put them somewhere. */
  release(): void;
}

/** What a disk says when it has no room. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Takes contents in, piece by piece. What is short enough to stand in a record stays in memory.
 *
 * @param bytesMax  the most that the log takes
 * @throws UserError         413: longer than that; 507: this node's disk is full
 * @throws UnavailableError  `disk-failed`
 * @throws                   what the body failed with
 */
export async function stageFile(store: Store, body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<StagedFile> {
  const pieces = within(body, bytesMax);
  const head: Uint8Array[] = [];
  let size = 0;
  try {
    while (size <= INLINE_BYTES_MAX) {
      const { value, done } = await pieces.next();
      if (done) return short(Buffer.concat(head));
      head.push(value);
      size += value.length;
    }
    return await long(store, joined(head, pieces));
  } finally {
    await pieces.return(undefined);
  }
}

function short(bytes: Uint8Array): StagedFile {
  return {
    hash: contentHash(bytes),
    size: bytes.length,
    bytesInMemory: bytes.length,
    putInto: (draft, path) => draft.put(path, bytes),
    release: () => {},
  };
}

async function long(store: Store, body: AsyncIterable<Uint8Array>): Promise<StagedFile> {
  let failure: unknown;
  // A body that fails may say the same as a disk does.
  const noting = async function* () {
    try {
      yield* body;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  try {
    const { hash, size, release } = await store.stage(noting());
    return { hash, size, bytesInMemory: 0, putInto: (draft, path) => draft.putBlob(path, { hash, size }), release };
  } catch (error) {
    if (failure !== undefined) throw failure;
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const text = `this node's disk did not take the file: ${messageOf(error)}`;
    if (FULL.has(code)) throw new UserError(507, 'disk-full', `${text}; nothing was changed`, { cause: error });
    throw new UnavailableError('disk-failed', text, { cause: error });
  }
}

async function* within(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array, undefined> {
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > bytesMax)
      throw new UserError(
        413,
        'file-too-large',
        `the file is larger than ${bytesMax} bytes, the most that the log takes in one file; nothing was changed`,
      );
    yield piece;
  }
}

async function* joined(head: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* head;
  yield* rest;
}
