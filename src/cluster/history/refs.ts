import { UserError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { ChangeRef } from './types.ts';

/** @throws UserError  400: neither `12` nor `12.2` */
export function parseRef(text: string): ChangeRef {
  const match = /^(\d{1,15})(?:\.(\d{1,6}))?$/.exec(text.trim());
  if (match === null || Number(match[1]) < 1 || match[2] === '0')
    throw new UserError(
      400,
      'bad-position',
      `"${text}" names no change: write a position (12), or 12.2 for the second change there`,
    );
  const position = Number(match[1]) as Position;
  return match[2] === undefined ? { position } : { position, index: Number(match[2]) };
}

/** @param several  how many changes the record holds */
export function formatRef(position: Position, index: number, several: number): string {
  return several > 1 ? `${position}.${index}` : String(position);
}
