import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { isDefinite, LostError } from './failures.ts';

test('only an error that the session survives says that nothing was written, in whatever language', () => {
  const said = (severity: string, code: string) =>
    Object.assign(new pg.DatabaseError('…', 1, 'error'), { severity, code });
  const table: [error: unknown, definite: boolean][] = [
    [said('ERROR', '53100'), true],
    [said('ERROR', '23505'), true],
    [said('FEHLER', '23505'), true],
    [said('ОШИБКА', '57014'), true],
    [said('FATAL', '57P01'), false],
    [said('PANIC', '53100'), false],
    [said('ПАНИКА', '53100'), false],
    [said('ВАЖНО', '57P01'), false],
    [new LostError('gone'), false],
    [new Error('x'), false],
  ];
  for (const [error, definite] of table) assert.equal(isDefinite(error), definite, JSON.stringify(error));
});
