import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
before(async () => {
  api = await openTestApi();
});
after(() => api.close());

const workspace = (name: string) => ({ json: { workspace: { name } } });
const sld = (color: string) =>
  `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld">\n<!-- ${color} -->\n</StyledLayerDescriptor>\n`;
const resource = (file: string, body: string) => api.send('PUT', `/resource/${file}`, { body, type: 'text/plain' });
const positionOf = (answer: { headers: Record<string, unknown> }) => Number(answer.headers['x-graticule-position']);
const revert = (json: unknown) => api.send('POST', '/cluster/revert', { json });

test('changes are listed with who, when, from where and what, page by page', async () => {
  await api.send('POST', '/workspaces', workspace('listed'));
  await api.send('DELETE', '/workspaces/listed');
  const { changes } = await api.json('/cluster/changes.json?limit=2');
  const [removed, made] = changes.change;
  assert.equal(removed.why, 'DELETE /geoserver/rest/workspaces/listed');
  assert.equal(made.why, 'POST /geoserver/rest/workspaces');
  assert.equal(made.by, 'admin');
  assert.equal(made.node, 'one');
  assert.equal(made.address, '127.0.0.1');
  assert.match(made.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.ok(made.steps.some((step: { path: string }) => step.path === 'workspaces/listed/workspace.xml'));
  const older = await api.json(`/cluster/changes.json?before=${changes.next}`);
  assert.deepEqual(
    older.changes.change.map((one: { position: number }) => one.position),
    [1],
  );
  assert.equal(older.changes.next, undefined);
  assert.equal(older.changes.change[0].kind, 'genesis');
});

test('filters', async () => {
  await api.send('POST', '/workspaces', { ...workspace('filtered'), headers: { 'x-user': 'ann' } });
  const table: [query: string, found: boolean][] = [
    ['by=ann', true],
    ['by=bob', false],
    ['workspace=filtered', true],
    ['workspace=filter', false],
    ['path=workspaces/filtered/', true],
    ['path=styles', false],
    ['node=one', true],
    ['node=two', false],
    ['since=1h', true],
    ['until=1h', false],
    ['since=2020-01-01&until=2999-12-31', true],
    ['why=rest/WORKSPACES', true],
    ['why=nothing', false],
  ];
  for (const [query, found] of table) {
    const { changes } = await api.json(`/cluster/changes.json?${query}&limit=1000`);
    assert.equal(
      changes.change.some((one: { by: string }) => one.by === 'ann'),
      found,
      query,
    );
  }
});

test('what means nothing is refused with the parameter and the remedy', async () => {
  const table: [path: string, status: number, text: RegExp][] = [
    ['/cluster/changes?limit=0', 400, /limit=0.*1 to 1000/],
    ['/cluster/changes?limit=many', 400, /limit/],
    ['/cluster/changes?before=x', 400, /before.*12\.2/],
    ['/cluster/changes?since=yesterday', 400, /since=yesterday.*2026-05-31.*3d/],
    ['/cluster/changes?path=../etc', 400, /path/],
    ['/cluster/changes/999999', 404, /no position 999999/],
    ['/cluster/changes/1.7', 404, /no 1\.7/],
    ['/cluster/changes/0', 400, /0/],
    ['/cluster/changes/nobody-1', 404, /nobody-1/],
    ['/cluster/diff', 400, /from/],
    ['/cluster/diff?from=a', 400, /from=a/],
    ['/cluster/diff?from=1&to=99999', 404, /99999/],
  ];
  for (const [where, status, text] of table) {
    const answer = await api.send('GET', where);
    assert.equal(answer.statusCode, status, where);
    assert.match(answer.body, text, where);
  }
  const bodies: [body: unknown, status: number, text: RegExp][] = [
    [{}, 400, /exactly one of position/],
    [{ position: 1, to: 1 }, 400, /exactly one/],
    [{ position: 1, dryrun: true }, 400, /dryrun.*dryRun/],
    [{ position: 1, dryRun: 'yes' }, 400, /dryRun/],
    [{ position: 1, why: 'two\nlines' }, 400, /why: one line/],
    [{ position: 1, why: 'x'.repeat(501) }, 400, /500 characters/],
    [{ position: 1 }, 400, /where the log begins/],
    [{ position: 'x' }, 400, /position/],
    [{ position: 99999 }, 404, /99999/],
    [{ change: 'nobody-1' }, 404, /nobody-1/],
    [{ to: 99999 }, 404, /99999/],
    [[], 400, /object/],
  ];
  for (const [body, status, text] of bodies) {
    const answer = await revert(body);
    assert.equal(answer.statusCode, status, JSON.stringify(body));
    assert.match(answer.body, text, JSON.stringify(body));
  }
});

test('a change is shown in JSON, XML and HTML, and as a diff', async () => {
  await resource('styles/shown.sld', sld('red'));
  const position = positionOf(await resource('styles/shown.sld', sld('blue')));
  const { changes } = await api.json(`/cluster/changes/${position}.json`);
  const [change] = changes.change;
  assert.deepEqual(
    change.files.map((file: { kind: string; path: string }) => [file.kind, file.path]),
    [['changed', 'styles/shown.sld']],
  );
  const byId = await api.json(`/cluster/changes/${change.id}.json`);
  assert.deepEqual(byId, { changes });
  assert.match((await api.xml(`/cluster/changes/${position}.xml`)).toString(), /<path>styles\/shown\.sld<\/path>/);
  assert.match((await api.send('GET', `/cluster/changes/${position}.html`)).body, /styles\/shown\.sld/);
  const diff = await api.send('GET', `/cluster/changes/${position}/diff`);
  assert.match(String(diff.headers['content-type']), /^text\/x-diff/);
  assert.match(
    diff.body,
    /by admin from 127\.0\.0\.1 at .* on node one\n {4}PUT \/geoserver\/rest\/resource\/styles\/shown\.sld\n/,
  );
  assert.match(
    diff.body,
    /--- a\/styles\/shown\.sld\n\+\+\+ b\/styles\/shown\.sld\n@@ -1,3 \+1,3 @@\n.*\n-<!-- red -->\n\+<!-- blue -->\n/,
  );
  const between = await api.send('GET', `/cluster/diff?from=${position - 2}&to=${position}&path=styles`);
  assert.match(between.body, /new file mode[\s\S]*\n--- \/dev\/null\n\+\+\+ b\/styles\/shown\.sld\n@@ -0,0 \+1,3 @@\n/);
  assert.equal((await api.send('GET', `/cluster/diff?from=${position}&to=${position}`)).body, '');
});

test('a change is taken back, and the taking back as well', async () => {
  await resource('styles/back.sld', sld('red'));
  const position = positionOf(await resource('styles/back.sld', sld('blue')));
  const file = () => api.send('GET', '/resource/styles/back.sld').then(({ body }) => body);
  const dry = (await revert({ position, dryRun: true })).json();
  assert.equal(dry.changed, false);
  assert.match(dry.diff, /-<!-- blue -->\n\+<!-- red -->/);
  assert.equal(await file(), sld('blue'));
  const done = await revert({ position, why: 'a mistake' });
  assert.equal(done.statusCode, 200);
  assert.equal(done.json().changed, true);
  assert.equal(await file(), sld('red'));
  const { changes } = await api.json('/cluster/changes.json?limit=1');
  assert.equal(
    changes.change[0].why,
    `revert of ${position} (PUT /geoserver/rest/resource/styles/back.sld): a mistake`,
  );
  await revert({ position: done.json().position });
  assert.equal(await file(), sld('blue'));
});

test('later changes stand in the way, unless it is forced', async () => {
  await resource('styles/way.sld', sld('one'));
  const position = positionOf(await resource('styles/way.sld', sld('two')));
  const later = positionOf(await resource('styles/way.sld', sld('three')));
  const refused = await revert({ position });
  assert.equal(refused.statusCode, 409);
  assert.deepEqual(refused.json().conflicts, [
    { path: 'styles/way.sld', reason: 'was changed since', changedBy: [String(later)] },
  ]);
  assert.match(refused.json().message, /styles\/way\.sld.*changed by/);
  const dry = (await revert({ position, dryRun: true })).json();
  assert.equal(dry.conflicts.length, 1);
  assert.equal((await revert({ position, force: true })).statusCode, 200);
  assert.equal((await api.send('GET', '/resource/styles/way.sld')).body, sld('one'));
});

test('what was built on a change stands in its way too', async () => {
  const position = positionOf(await api.send('POST', '/workspaces', workspace('built')));
  const later = positionOf(await resource('workspaces/built/styles/x.txt', 'x'));
  const refused = await revert({ position });
  assert.equal(refused.statusCode, 409);
  const { conflicts } = refused.json();
  assert.deepEqual(conflicts[0].path, 'workspaces/built/styles/x.txt');
  assert.deepEqual(conflicts[0].changedBy, [String(later)]);
});

test('what was moved away since is not taken for gone', async () => {
  const position = positionOf(await api.send('POST', '/workspaces', workspace('moved')));
  const later = positionOf(await api.send('PUT', '/workspaces/moved', workspace('elsewhere')));
  const { conflicts } = (await revert({ position })).json();
  assert.deepEqual(
    conflicts.filter((one: { path: string }) => one.path === 'workspaces/moved/workspace.xml'),
    [
      {
        path: 'workspaces/moved/workspace.xml',
        reason: 'was moved to workspaces/elsewhere/workspace.xml',
        changedBy: [String(later)],
      },
    ],
  );
  await api.send('DELETE', '/workspaces/elsewhere?recurse=true');
});

test('everything goes back to a position, or what is below a path', async () => {
  const to = positionOf(await api.send('POST', '/workspaces', workspace('whole')));
  const { digest } = api.node;
  await api.send('PUT', '/workspaces/whole', workspace('renamed'));
  await resource('styles/after.sld', sld('after'));
  await api.send('POST', '/workspaces', workspace('other'));
  const partly = await revert({ to, path: 'styles' });
  assert.equal(partly.json().fileCount, 1);
  assert.equal((await api.send('GET', '/workspaces/renamed')).statusCode, 200);
  await revert({ to });
  assert.equal(api.node.digest, digest);
  assert.equal((await api.send('GET', '/workspaces/whole')).statusCode, 200);
  const again = (await revert({ to })).json();
  assert.equal(again.changed, false);
  assert.deepEqual(again.files, []);
});

test('secrets are masked', async () => {
  await resource('workspaces/s/db/datastore.xml', '<dataStore><entry key="passwd">plain-one</entry></dataStore>\n');
  const position = positionOf(
    await resource('workspaces/s/db/datastore.xml', '<dataStore><entry key="passwd">plain-two</entry></dataStore>\n'),
  );
  const { body } = await api.send('GET', `/cluster/changes/${position}/diff`);
  assert.doesNotMatch(body, /plain/);
  assert.match(body, /\+.*\*\*\* \(changed\)/);
});

test('a backup goes in again, as one change', async () => {
  await resource('styles/kept.sld', sld('kept'));
  const { digest } = api.node;
  const backup = await api.send('GET', '/cluster/snapshot');
  assert.match(String(backup.headers['content-disposition']), /filename="graticule-\d+-[0-9a-f]{12}\.tar\.zst"/);
  assert.equal(Number(backup.headers['content-length']), backup.rawPayload.length);
  await resource('styles/kept.sld', sld('lost'));
  await resource('styles/new.sld', sld('new'));
  const restore = (query: string, body: Uint8Array) =>
    api.send('POST', `/cluster/restore${query}`, { body, type: 'application/zstd' });
  const dry = (await restore('?dryRun=true', backup.rawPayload)).json();
  assert.equal(dry.fileCount, 2);
  assert.match(dry.diff, /\+<!-- kept -->/);
  assert.notEqual(api.node.digest, digest);
  assert.equal((await restore('', backup.rawPayload.subarray(0, 300))).statusCode, 400);
  assert.equal((await restore('', Buffer.from('not a backup'))).statusCode, 400);
  assert.equal((await restore('', backup.rawPayload)).statusCode, 200);
  assert.equal(api.node.digest, digest);
  const { changes } = await api.json('/cluster/changes.json?limit=1');
  assert.match(changes.change[0].why, /^restore of the backup of position \d+$/);
});

test('a snapshot is put into the log', async () => {
  const answer = await api.send('POST', '/cluster/snapshot');
  assert.equal(answer.json().snapshot.position, api.node.position);
});

test('what the log no longer holds is refused with the position that it keeps', async () => {
  const trimmed = await openTestApi();
  try {
    await trimmed.send('POST', '/workspaces', workspace('a'));
    await trimmed.send('POST', '/workspaces', workspace('b'));
    await trimmed.node.snapshot();
    await trimmed.send('POST', '/workspaces', workspace('c'));
    await trimmed.log.trim((trimmed.node.position - 1) as never);
    for (const where of ['/cluster/changes/2', '/cluster/diff?from=2']) {
      const answer = await trimmed.send('GET', where);
      assert.equal(answer.statusCode, 410, where);
      assert.match(answer.body, /keeps changes from position 4 on/);
    }
    const { changes } = await trimmed.json('/cluster/changes.json');
    assert.deepEqual(
      changes.change.map((one: { position: number }) => one.position),
      [4],
    );
    assert.equal(changes.keptFrom, 4);
    assert.equal((await trimmed.send('POST', '/cluster/revert', { json: { to: 3 } })).statusCode, 200);
    assert.equal((await trimmed.send('GET', '/workspaces/c')).statusCode, 404);
  } finally {
    await trimmed.close();
  }
});
