/** Where the passwords of the console come from. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { type Facts, silentLogger, UserError } from '../../base/index.ts';
import { consoleAccounts } from './accounts.ts';

const PASSWORD = 'correct horse: battery';
const VIEWER_PASSWORD = 'only looking around';
const folder = temporaryFolder('accounts');

describe('the passwords', () => {
  test('are made once, for this user alone, and never said', async () => {
    const file = path.join(folder, 'new', 'console-password');
    const viewerFile = path.join(folder, 'new', 'viewer-password');
    const sources = { admin: { given: '', file }, viewer: { given: undefined, file: viewerFile } };
    const said: string[] = [];
    const listening = {
      ...silentLogger,
      info: (event: string, facts?: Facts) => said.push(JSON.stringify([event, facts])),
    };
    const made = await consoleAccounts(sources, listening);
    for (const [password, at] of [
      [made.admin, file],
      [made.viewer!, viewerFile],
    ] as const) {
      assert.equal(readFileSync(at, 'utf8').trim(), password);
      assert.ok(password.length >= 20);
      assert.equal(statSync(at).mode & 0o777, 0o600);
      assert.ok(said.some((line) => line.includes(at)));
      assert.ok(!said.join().includes(password));
    }
    assert.deepEqual(await consoleAccounts(sources, listening), made);
    assert.deepEqual(await consoleAccounts({ admin: sources.admin }, listening), { admin: made.admin });
  });

  test('are none that everybody tries first, and two', async () => {
    const file = path.join(folder, 'weak');
    writeFileSync(file, 'short\n');
    const as = (given: string | undefined, viewer?: string) =>
      consoleAccounts({ admin: { given, file }, ...(viewer && { viewer: { given: viewer, file: '' } }) }, silentLogger);
    await assert.rejects(as(undefined), UserError);
    for (const given of ['admin', 'geoserver', 'password1234', 'changeit', 'a'.repeat(7)]) {
      await assert.rejects(as(given), UserError, given);
      await assert.rejects(as(PASSWORD, given), UserError, given);
    }
    await assert.rejects(as(PASSWORD, PASSWORD), /the same password/);
    assert.deepEqual(await as(PASSWORD, VIEWER_PASSWORD), { admin: PASSWORD, viewer: VIEWER_PASSWORD });
  });
});
