/** Waiting in tests: looked at again and again until it holds, never slept and hoped for. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something holds. @throws Error  it did not, in time */
export async function until(check: () => boolean | Promise<boolean>, what: string, withinMs = 10_000): Promise<void> {
  for (const deadlineMs = performance.now() + withinMs; !(await check()); await sleep(5))
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
}

/** Tries until it works; the last failure is the test's when time is up, or when there is no point any more. */
export async function eventually<Result>(
  attempt: () => Result | Promise<Result>,
  timeoutMs = 20_000,
  hopeless: () => boolean = () => false,
): Promise<Result> {
  for (const deadlineMs = performance.now() + timeoutMs; ; await sleep(25)) {
    const last = hopeless();
    try {
      return await attempt();
    } catch (error) {
      if (last || performance.now() > deadlineMs) throw error;
    }
  }
}
