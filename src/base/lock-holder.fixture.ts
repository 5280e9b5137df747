/** Holds a lock until it is killed. */
import { ProcessLock } from './process-lock.ts';

const lock = ProcessLock.take(process.argv[2]!);
process.send!(lock !== undefined);
setInterval(() => lock, 1000);
