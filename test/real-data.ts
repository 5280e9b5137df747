import path from 'node:path';

/**
 * Data directories, styles and geodata of others, to test against in place: a folder beside the project, or where
 * `GRATICULE_TEST_DATA` says. A test that needs it skips where it is absent.
 */
export const REAL_DATA = process.env.GRATICULE_TEST_DATA ?? path.resolve(import.meta.dirname, '../../shared/data');
