/**
 * Runs the tests: `npm test [-- PATTERN...]`. Every `*.test.ts` under src/ and test/ whose path contains one of the
 * patterns, each in a process of its own. The last line printed is `N passed, N failed`.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const patterns = process.argv.slice(2);
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'])
  .filter((file) => !file.includes('node_modules'))
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${patterns.join(' ')}`);
  process.exit(1);
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const inCi = process.env.CI === 'true';
const stream = run({ files, concurrency: Math.max(2, availableParallelism()), timeout: 600_000 });
const count = (
  event: { details?: { type?: string }; skip?: unknown; todo?: unknown },
  outcome: 'passed' | 'failed',
) => {
  if (event.details?.type === 'suite') return;
  if (event.skip !== undefined && event.skip !== false) counts.skipped++;
  else counts[outcome]++;
};
stream.on('test:pass', (event) => count(event, 'passed'));
stream.on('test:fail', (event) => count(event, 'failed'));
const output = stream.compose(spec);
output.pipe(process.stdout);
output.on('end', () => {
  // In CI every program is installed, so a skipped test is a hole in the net.
  const holes = inCi && counts.skipped > 0;
  if (holes) console.log(`\n${counts.skipped} tests were skipped, and in CI none may be`);
  console.log(
    `\n${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`,
  );
  process.exit(counts.failed > 0 || holes ? 1 : 0);
});
