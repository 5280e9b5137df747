import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/index.ts';

/*
 * A log belongs to one group for good: the file `group` in its folder names it. A log without the file becomes the group's that
 * opens it first.
 */

const fileIn = (folder: string) => path.join(folder, 'group');

/** @throws UserError  the log is another group's */
export function checkGroup(folder: string, group: string): void {
  const file = fileIn(folder);
  const owner = ownerIn(file) ?? group;
  if (owner !== group)
    throw new UserError(
      409,
      'log-of-other-group',
      `the log in ${folder} belongs to the group ${owner}, and this node to the group ${group}: start the node with ` +
        `--group ${owner}, or, to rename the group, stop its nodes, remove the file ${file}, and start all with the new name`,
    );
}

/** For who has the log open. */
export function writeGroup(folder: string, group: string): void {
  const file = fileIn(folder);
  if (ownerIn(file) === undefined) writeFileSync(file, `${group}\n`, { flush: true });
}

function ownerIn(file: string): string | undefined {
  return (existsSync(file) && readFileSync(file, 'utf8').trim()) || undefined;
}
