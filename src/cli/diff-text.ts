import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { styled } from './text.ts';

/** Prints a unified diff as it comes in; coloured on a terminal. */
export async function printDiff(answer: Response): Promise<void> {
  if (answer.body === null) return;
  let isHead = true;
  for await (const line of createInterface({ input: Readable.fromWeb(answer.body as never), crlfDelay: 0 })) {
    // What a change is headed by, the caller has told already.
    if (isHead && !line.startsWith('diff ')) continue;
    isHead = false;
    console.log(coloredLine(line));
  }
}

export function coloredLine(line: string): string {
  if (
    /^(?:diff |--- |\+\+\+ |new file |deleted file |rename |similarity |Binary |Secret |Only secrets |Contents )/.test(
      line,
    )
  )
    return styled('bold', line);
  if (line.startsWith('@@')) return styled('cyan', line);
  if (line.startsWith('+')) return styled('green', line);
  if (line.startsWith('-')) return styled('red', line);
  return line;
}
