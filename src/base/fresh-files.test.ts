import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { FreshFiles, messageOf } from './index.ts';

test('a file that changes is read again, and a useless one leaves the former value in use', () => {
  const folder = temporaryFolder('fresh');
  const file = path.join(folder, 'number');
  const said: string[] = [];
  let made = 0;
  const parse = ([text]: readonly string[]) => {
    made++;
    const number = Number.parseInt(text!, 10);
    if (Number.isNaN(number)) throw new Error(`no number: ${text}`);
    return number;
  };
  assert.throws(() => new FreshFiles([file], parse), /ENOENT/);
  writeFileSync(file, '1');
  const fresh = new FreshFiles([file], parse, {
    onChange: (value) => said.push(`now ${value}`),
    onTrouble: (error) => said.push(messageOf(error)),
  });
  assert.deepEqual([fresh.value, fresh.value, made], [1, 1, 1]);
  writeFileSync(file, 'x');
  assert.deepEqual([fresh.value, fresh.value, made], [1, 1, 2]);
  rmSync(file);
  assert.equal(fresh.value, 1);
  writeFileSync(`${file}.new`, '2');
  renameSync(`${file}.new`, file);
  assert.deepEqual([fresh.value, fresh.value], [2, 2]);
  assert.match(said[0]!, /no number/);
  assert.match(said[1]!, /ENOENT/);
  assert.deepEqual(said.slice(2), ['now 2']);
});
