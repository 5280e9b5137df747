/** Takes a lock, tells whether it has it or why not, and holds it until it is killed. Root does so as nobody, if told to. */
import { ProcessLock } from './process-lock.ts';

const [file = '', isNobody] = process.argv.slice(2);
if (isNobody !== undefined && process.getuid?.() === 0) process.setuid?.(65_534);
let lock: ProcessLock | undefined;
try {
  lock = ProcessLock.take(file);
  process.send!(lock !== undefined);
} catch (error) {
  process.send!((error as NodeJS.ErrnoException).code);
}
setInterval(() => lock, 1000);
