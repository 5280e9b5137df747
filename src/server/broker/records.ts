/** What stands in a record of a group's log, for people who look on: no secret of any file. */
import { isUtf8 } from 'node:buffer';
import { messageOf } from '../../base/index.ts';
import { isSecretFile, maskSecrets } from '../../cluster/index.ts';
import type { LogRecord } from '../../log/index.ts';
import { type Change, decodeRecord, type FileOperation } from '../../tree/index.ts';

/** A record in a list. */
export interface RecordSummary {
  readonly position: number;
  /** As it is stored. */
  readonly bytes: number;
  /** `genesis`: the first one of a log; `unreadable`: damaged, or of a newer version; `long`: not looked into here. */
  readonly kind: 'changes' | 'genesis' | 'unreadable' | 'long';
  /** ISO 8601: when its first change was made, by the clock of the node that made it. */
  readonly at?: string;
  /** Node that made it. */
  readonly node?: string;
  /** Why it is `unreadable` or `long`. */
  readonly reason?: string;
  readonly changeCount: number;
  /** The first ones. */
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
  /** The first ones: `styles/a.sld`, `-styles/b.sld`, `workspaces/a → workspaces/b`. */
  readonly steps: readonly string[];
}

/** One record, with all that it does to files. */
export interface RecordDetails extends Omit<RecordSummary, 'changes'> {
  /** Of the tree after it. */
  readonly digest?: string;
  /** Of a genesis: the log's id. */
  readonly logId?: string;
  readonly changes: readonly ChangeDetails[];
}

export interface ChangeDetails extends Omit<ChangeSummary, 'steps'> {
  readonly trace?: string;
  /** The first ones. */
  readonly operations: readonly OperationDetails[];
}

export type OperationDetails =
  | {
      readonly kind: 'put';
      readonly path: string;
      /** In bytes. */
      readonly size: number;
      /**
       * `text` is shown, passwords masked; `binary` and `blob` (which travels beside the log) are not, nor is a `secret` file;
       * `long`: so much is shown already.
       */
      readonly content: 'text' | 'binary' | 'blob' | 'secret' | 'long';
      readonly text?: string;
      /** SHA-256 of a blob. */
      readonly hash?: string;
    }
  | { readonly kind: 'delete'; readonly path: string }
  | { readonly kind: 'move'; readonly from: string; readonly to: string };

/** A record is unpacked in one piece, and meanwhile the broker does nothing else: longer ones, in bytes as stored, are left alone. */
const LISTED_BYTES_MAX = 1024 * 1024;
const SHOWN_BYTES_MAX = 4 * 1024 * 1024;
/** Of a record in a list. */
const CHANGES_LISTED_MAX = 5;
const STEPS_LISTED_MAX = 3;
/** Of the one that is shown. */
const CHANGES_SHOWN_MAX = 200;
const OPERATIONS_SHOWN_MAX = 500;
/** Text of all files of a record, in characters. */
const TEXT_SHOWN_MAX = 1_000_000;

export function summaryOf(record: LogRecord): RecordSummary {
  const { details, changes } = read(record, LISTED_BYTES_MAX);
  return {
    ...details,
    changes: changes.slice(0, CHANGES_LISTED_MAX).map((change) => ({
      ...summary(change),
      steps: change.operations.slice(0, STEPS_LISTED_MAX).map(stepText),
    })),
  };
}

export function detailsOf(record: LogRecord): RecordDetails {
  const { details, changes, more } = read(record, SHOWN_BYTES_MAX);
  const left = { operations: OPERATIONS_SHOWN_MAX, characters: TEXT_SHOWN_MAX };
  return {
    ...details,
    ...more,
    changes: changes.slice(0, CHANGES_SHOWN_MAX).map((change) => {
      const operations = change.operations.slice(0, left.operations).map((operation) => shown(operation, left));
      left.operations -= operations.length;
      return { ...summary(change), ...(change.trace && { trace: change.trace }), operations };
    }),
  };
}

interface Read {
  readonly details: Omit<RecordSummary, 'changes'>;
  readonly changes: readonly Change[];
  readonly more: { readonly digest?: string; readonly logId?: string };
}

function read({ position, body }: LogRecord, bytesMax: number): Read {
  const common = { position, bytes: body.length };
  const closed = (kind: 'unreadable' | 'long', reason: string): Read => ({
    details: { ...common, kind, reason, changeCount: 0 },
    changes: [],
    more: {},
  });
  if (body.length > bytesMax)
    return closed('long', `too long to be looked into here; on a node: graticule show ${position}`);
  try {
    const record = decodeRecord(body);
    const { digest } = record;
    if (record.kind === 'genesis') {
      const { at, node, logId } = record;
      return {
        details: { ...common, kind: 'genesis', at, node, changeCount: 0 },
        changes: [],
        more: { digest, logId },
      };
    }
    const [first] = record.changes;
    return {
      details: {
        ...common,
        kind: 'changes',
        ...(first && { at: first.at, node: first.node }),
        changeCount: record.changes.length,
      },
      changes: record.changes,
      more: { digest },
    };
  } catch (error) {
    return closed('unreadable', messageOf(error));
  }
}

function summary({ id, at, by, address, node, why, operations }: Change): Omit<ChangeSummary, 'steps'> {
  return { id, at, by, ...(address && { address }), node, why, operationCount: operations.length };
}

function stepText(operation: FileOperation): string {
  switch (operation.kind) {
    case 'put':
      return operation.path;
    case 'delete':
      return `-${operation.path}`;
    case 'move':
      return `${operation.from} → ${operation.to}`;
  }
}

function shown(operation: FileOperation, left: { characters: number }): OperationDetails {
  if (operation.kind !== 'put') return operation;
  const { path, content } = operation;
  const size = content.kind === 'blob' ? content.size : content.bytes.length;
  const put = { kind: 'put', path, size } as const;
  if (isSecretFile(path)) return { ...put, content: 'secret' };
  if (content.kind === 'blob') return { ...put, content: 'blob', hash: content.hash };
  if (!isUtf8(content.bytes) || content.bytes.includes(0)) return { ...put, content: 'binary' };
  const [, text = ''] = maskSecrets(undefined, Buffer.from(content.bytes).toString('utf8'));
  if (text.length > left.characters) return { ...put, content: 'long' };
  left.characters -= text.length;
  return { ...put, content: 'text', text };
}
