import type { Readable } from 'node:stream';
import type { Touched } from './folder.ts';
import type { SkippedFile } from './scan.ts';
import type { Snapshot } from './snapshot.ts';
import type { OpenFrom, StagedBlob } from './staging.ts';
import type { StoreState } from './state.ts';
import type { Tree } from './tree.ts';
import type { ContentHash, Position, TreePath } from './types.ts';

/** How the files of a data directory differ from the tree. */
export interface Drift {
  /** Other bytes than the tree says. */
  readonly changed: readonly TreePath[];
  /** Not in the tree. */
  readonly added: readonly TreePath[];
  /** In the tree, and not there. */
  readonly removed: readonly TreePath[];
  /** What could not be looked at; files below are in none of the lists. */
  readonly skipped: readonly SkippedFile[];
}

export interface RestoreOptions {
  /** Where files are moved that would be lost, absolute; default: they are deleted. */
  readonly keepIn?: string;
  /** Called with the contents of each file, but for long ones, that the tree does not hold yet at that path; others have their turn meanwhile. */
  readonly onContents?: (path: TreePath, hash: ContentHash, bytes: Uint8Array) => void;
}

/** A replicated tree and the data directory that it belongs to: kept here (`TreeStore`), or by another node (`ReadOnlyStore`). */
export interface Store {
  /** Another node writes the directory: nothing in it is changed, or compared with the tree. */
  readonly readOnly: boolean;
  /** The tree; the same object for the store's life. */
  readonly tree: Tree;
  /** What lies in the data directory and does not take part, as of the last scan. */
  readonly skipped: readonly SkippedFile[];
  /**
   * From this position on, the tree's digest is that of the log. Before it, after a crash, files of later records may be there
   * already; applying the records up to here makes the tree right.
   */
  readonly comparableFrom: Position;
  /** Contents that may wait in memory for the disk; who writes should not add to more. Bytes. */
  readonly waitingBytesMax: number;
  /** Contents in memory that wait for the disk. Bytes. */
  readonly waitingBytes: number;
  /** What log the tree follows, and how far it had come when that was last written down; undefined: none yet. */
  readonly recorded: Pick<StoreState, 'logId' | 'position' | 'digest' | 'logDigest'> | undefined;
  /** A restore was interrupted: the files are neither here nor there until another one has succeeded. */
  readonly incomplete: boolean;
  /** What is not yet on disk: records where this node writes it, files where another does. */
  readonly unwritten: number;
  /** What the disk says when it fails; undefined when all is well. */
  readonly trouble: string | undefined;
  /** Resolves when everything applied so far is on disk, for who opens files by their names. */
  flush(): Promise<void>;
  close(): Promise<void>;
  /** Makes the directory, as it is, the start of a log: the tree is at position 0 of it. */
  bind(logId: string): Promise<void>;
  /** Makes the directory, as it is, one that has followed no log. */
  unbind(): Promise<void>;
  /** The bytes of a file as they are on disk now, tree or not; undefined when it is not there. */
  readDisk(path: TreePath): Uint8Array | undefined;
  /** Compares the files with the tree: what somebody changed behind our back. */
  drift(): Promise<Drift>;
  /**
   * Takes the bytes of a blob, before a record that puts it somewhere is applied.
   * @param size  bytes
   * @throws Error  the bytes have another hash
   */
  stageBlob(hash: ContentHash, size: number, open: OpenFrom): Promise<void>;
  /** Takes contents for a draft to name by their hash; they stay on disk, ready, until released. */
  stage(body: AsyncIterable<Uint8Array>): Promise<StagedBlob>;
  /** The bytes of a staged blob. */
  readStagedBlob(hash: ContentHash, from?: number): Readable;
  /** Removes what was staged, by an earlier run too, and is not waited for; nothing while something is to be written. */
  tidy(): Promise<void>;
  /**
   * Makes the tree that of a snapshot.
   * @returns what became of each file, for views of the tree
   */
  restore(snapshot: Snapshot, options?: RestoreOptions): Promise<Touched[]>;
}
