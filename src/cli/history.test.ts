import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loginOf } from './connection.ts';
import { filesText, type ListedChange, logText, whatText } from './log.ts';
import { withQuery } from './requests.ts';
import { outcomeText } from './revert.ts';

const change = (steps: readonly object[], more: object = {}): ListedChange =>
  ({
    ref: '12',
    position: 12,
    kind: 'change',
    id: 'a-1',
    at: '2026-05-31T12:00:05.000Z',
    by: 'ann',
    address: '::ffff:10.0.0.1',
    node: 'a',
    why: 'PUT /geoserver/rest/styles/roads',
    steps,
    stepCount: steps.length,
    ...more,
  }) as ListedChange;
const put = (path: string) => ({ kind: 'put', path, size: 1 });

test('the files of a change in a few words', () => {
  const table: [steps: readonly object[], text: string][] = [
    [[], ''],
    [[put('styles/a.sld')], 'styles/a.sld'],
    [[put('styles/a.sld'), put('styles/a.xml')], '2 files in styles'],
    [[put('styles/a.sld'), put('global.xml')], '2 files: styles/a.sld, …'],
    [[put('workspaces/a/b/c.xml'), put('workspaces/a/d.xml')], '2 files in workspaces/a'],
    [[{ kind: 'delete', path: 'workspaces/a' }], '-workspaces/a'],
    [
      [put('default.xml'), { kind: 'move', from: 'workspaces/a', to: 'workspaces/b' }],
      'workspaces/a → workspaces/b and 1 more',
    ],
  ];
  for (const [steps, text] of table) assert.equal(filesText(change(steps)), text);
});

test('a list fits the terminal, and says where it goes on', () => {
  const long = change([put(`workspaces/${'x'.repeat(200)}/workspace.xml`)]);
  const text = logText([long], { next: '12', keptFrom: 1, columns: 100 });
  for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
  assert.match(text, /10\.0\.0\.1 +PUT \/rest\/styles\/roads/);
  assert.match(text, /--before 12/);
  assert.match(logText([long], { keptFrom: 5 }), /x{200}[\s\S]*keeps changes from position 5 on/);
  assert.match(logText([], { keptFrom: 5 }), /No such change.*position 5/);
});

test('requests without the context path', () => {
  assert.equal(whatText('PUT /geoserver/rest/styles/a'), 'PUT /rest/styles/a');
  assert.equal(
    whatText('revert of 12 (DELETE /geoserver/rest/workspaces/a)'),
    'revert of 12 (DELETE /rest/workspaces/a)',
  );
});

test('a dry run says what would stand in the way', () => {
  const outcome = {
    position: 20,
    changed: false,
    what: 'change 12 (PUT /geoserver/rest/styles/a)',
    fileCount: 1,
    files: [{ kind: 'changed', path: 'styles/a', before: { size: 1 }, after: { size: 2 } }],
    conflicts: [{ path: 'styles/a', reason: 'was changed since', changedBy: ['14', '13.2'] }],
  } as never;
  assert.match(
    outcomeText(outcome, { dryRun: true }, 'Taken back'),
    /in the way +styles\/a: was changed since \(changed by 14, 13\.2\)[\s\S]*refused/,
  );
  assert.match(outcomeText(outcome, { force: true }, 'Taken back'), /Taken back: change 12 \(PUT \/rest\/styles\/a\)/);
});

test('user and password stand in the URL, or beside it', () => {
  const url = 'http://ann:p%40ss@host:8080/geoserver';
  assert.deepEqual(loginOf({ url, user: 'admin' }), {
    url: 'http://host:8080/geoserver',
    user: 'ann',
    password: 'p@ss',
  });
  assert.deepEqual(loginOf({ url: 'http://host/geoserver', user: 'bob', password: 'x' }), {
    url: 'http://host/geoserver',
    user: 'bob',
    password: 'x',
  });
  assert.equal(withQuery('/a', { b: undefined }), '/a');
  assert.equal(withQuery('/a', { b: 'x y', c: 1, d: undefined }), '/a?b=x+y&c=1');
});
