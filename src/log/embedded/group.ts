import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/index.ts';

/**
 * A log belongs to one group for good, which the file `group` in its folder names. One that has no such file yet becomes this
 * group's.
 *
 * @throws UserError  it is another group's
 */
export function claimGroup(folder: string, group: string): void {
  const file = path.join(folder, 'group');
  let owner: string;
  try {
    owner = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    writeFileSync(file, `${group}\n`);
    return;
  }
  if (owner !== group)
    throw new UserError(
      409,
      'log-of-other-group',
      `the log in ${folder} belongs to the group ${owner}, and this node to the group ${group}: start the node with ` +
        `--group ${owner}, or, to rename the group, stop its nodes, remove the file ${file}, and start all with the new name`,
    );
}
