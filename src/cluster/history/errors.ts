import { UserError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { Conflict } from './types.ts';

/** What was asked for is older than what the log keeps. */
export class HistoryTrimmedError extends UserError {
  /** The oldest position that is kept. */
  readonly keptFrom: Position;

  constructor(asked: Position, keptFrom: Position) {
    super(
      410,
      'history-trimmed',
      `position ${asked} is no longer held: the log keeps changes from position ${keptFrom} on; older states are in backups`,
    );
    this.name = 'HistoryTrimmedError';
    this.keptFrom = keptFrom;
  }
}

/** Later changes stand in the way of taking something back. */
export class RevertConflictError extends UserError {
  readonly conflicts: readonly Conflict[];

  constructor(what: string, conflicts: readonly Conflict[]) {
    const lines = conflicts.slice(0, LISTED_MAX).map(({ path, reason, changedBy }) => {
      const by = changedBy.length > 0 ? ` (changed by ${changedBy.join(', ')})` : '';
      return `  ${path}: ${reason}${by}`;
    });
    if (conflicts.length > LISTED_MAX) lines.push(`  … and ${conflicts.length - LISTED_MAX} more`);
    super(
      409,
      'revert-conflict',
      `${what} cannot be taken back as it is, nothing was changed:\n${lines.join('\n')}\n` +
        'Take back the later changes first, or use force to have the old files all the same',
    );
    this.name = 'RevertConflictError';
    this.conflicts = conflicts;
  }
}

const LISTED_MAX = 20;

export function noSuchPosition(position: number, head: Position): UserError {
  return new UserError(404, 'no-such-position', `there is no position ${position}: the newest is ${head}`);
}
