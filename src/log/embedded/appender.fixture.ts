/** Appends records to the embedded log in a folder, and tells each acknowledged position, until it is killed. */
import type { Position } from '../../tree/index.ts';
import { openEmbeddedLog } from '../index.ts';

const log = await openEmbeddedLog({ folder: process.argv[2]! });
for (let n = 0; ; n++) {
  await log.append(n as Position, Buffer.from(`record ${n + 1}`));
  process.send!(n + 1);
}
