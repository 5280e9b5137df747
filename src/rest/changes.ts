/** Who changed what, and the way back: what the log remembers, and backups. */
import { Readable } from 'node:stream';
import { UserError } from '../base/index.ts';
import {
  type ChangeDetails,
  type ChangeEntry,
  type ChangeRef,
  type FileChange,
  isSecretFile,
  LIST_MAX,
  parseRef,
  RevertConflictError,
  type Reverted,
  type RevertRequest,
} from '../cluster/index.ts';
import { isWithin, type Position, START, type TreePath, treePath } from '../tree/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el } from './answers.ts';
import { openBackup, spoolBackup } from './backups.ts';
import { principalOf } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './routes.ts';

const LIMIT_DEFAULT = 50;
/** Steps of a change in a list, and files of one change; how many there are is told. */
const STEPS_SHOWN_MAX = 20;
const FILES_SHOWN_MAX = 1_000;
const WHY_CHARACTERS_MAX = 500;
const REVERT_BODY_KEYS = ['position', 'change', 'to', 'path', 'dryRun', 'force', 'why'] as const;

export const changeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/cluster/changes',
    summary: 'Lists changes, the newest first: who, when, from where, what',
    produces: ['json', 'xml', 'html'],
    query: ['limit', 'before', 'path', 'workspace', 'by', 'node', 'since', 'until', 'why'],
    handle: list,
  },
  {
    method: 'GET',
    path: '/cluster/changes/{position}',
    summary: 'Shows the changes at a position (12), one of several there (12.2) or the one with an id, with every file',
    produces: ['json', 'xml', 'html'],
    handle: async (x) => details(await shown(x)),
  },
  {
    method: 'GET',
    path: '/cluster/changes/{position}/diff',
    summary: 'Shows what a change did to the files as a unified diff; secrets are masked',
    produces: ['diff'],
    query: ['path'],
    handle: async (x) => {
      const changes = await shown(x);
      const path = pathOf(x);
      return diffAnswer(x, diffOfChanges(x, changes, path));
    },
  },
  {
    method: 'GET',
    path: '/cluster/diff',
    summary: 'Shows how the files of one position differ from those of another (default: the newest) as a unified diff',
    produces: ['diff'],
    query: ['from', 'to', 'path'],
    handle: async (x) => {
      const { history, position } = admin(x).deps.node;
      const before = positionOf(x, 'from');
      if (before === undefined)
        throw new UserError(
          400,
          'missing-parameter',
          'from is missing: give the position to compare with, like from=12',
        );
      const after = positionOf(x, 'to') ?? position;
      const files = await history.between(before, after, pathOf(x) ?? '');
      return diffAnswer(x, history.diff(files, { before, after }));
    },
  },
  {
    method: 'POST',
    path: '/cluster/revert',
    summary: 'Takes back one change (position or change), or everything since a position (to), as a new change',
    consumes: ['application/json'],
    produces: ['json', 'xml', 'html'],
    status: 200,
    handle: async (x) => {
      const request = await revertRequest(admin(x));
      return answered(x, (origin) => x.deps.node.history.revert(request, origin));
    },
  },
  {
    method: 'GET',
    path: '/cluster/snapshot',
    summary: 'Gives a complete backup of the newest state',
    produces: ['snapshot'],
    handle: async (x) => {
      const { node, tempDir } = admin(x).deps;
      const spooled = await spoolBackup(node.history.backup(), tempDir);
      x.position = spooled.position;
      return {
        kind: 'bytes',
        body: spooled.body,
        contentType: 'application/zstd',
        headers: {
          'content-length': String(spooled.size),
          'content-disposition': `attachment; filename="${spooled.name}"`,
          'x-graticule-digest': spooled.digest,
        },
      };
    },
  },
  {
    method: 'POST',
    path: '/cluster/snapshot',
    summary: 'Puts a snapshot of the newest state into the log, for nodes that join later',
    local: true,
    produces: ['json', 'xml', 'html'],
    handle: async (x) => {
      const { node } = admin(x).deps;
      x.position = await node.catchUp();
      const position = await node.snapshot();
      x.position = position;
      return { kind: 'data', value: { snapshot: { position } }, element: el('snapshot', [el('position', position)]) };
    },
  },
  {
    method: 'POST',
    path: '/cluster/restore',
    summary: 'Makes the files those of a backup, which is the body, as a new change',
    consumes: ['application/zstd'],
    produces: ['json', 'xml', 'html'],
    query: ['path', 'dryRun', 'force', 'why'],
    status: 200,
    handle: async (x) => {
      const path = pathOf(admin(x));
      const why = reason(x.query('why'));
      const request = { dryRun: x.flag('dryRun'), force: x.flag('force'), ...(path && { path }), ...(why && { why }) };
      const backup = await openBackup(x);
      try {
        return await answered(x, (origin) => x.deps.node.history.restore(backup.state, request, origin));
      } finally {
        backup.remove();
      }
    },
  },
];

/** History shows every file: it is for administrators, whatever the rules on paths say. */
function admin(x: Exchange): Exchange {
  if (principalOf(x.request)?.isAdmin !== true)
    throw new UserError(403, 'not-admin', 'The history of changes is for administrators: log in as one');
  return x;
}

// ---- looking

async function list(x: Exchange): Promise<Answer> {
  const { node } = admin(x).deps;
  const before = x.query('before');
  const filter = {
    path: pathOf(x),
    workspace: x.query('workspace'),
    by: x.query('by'),
    node: x.query('node'),
    since: timeOf(x, 'since'),
    until: timeOf(x, 'until'),
    why: x.query('why'),
  };
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined && value !== ''));
  const { changes, next, keptFrom } = await node.history.list({
    ...given,
    limit: limitOf(x),
    ...(before && { before: named('before', () => parseRef(before)) }),
  });
  return {
    kind: 'data',
    value: { changes: { keptFrom, ...(next && { next }), change: changes.map(entryValue) } },
    element: el('changes', [
      el('keptFrom', keptFrom),
      next === undefined ? undefined : el('next', next),
      ...changes.map((entry) => el('change', [x.link('cluster', 'changes', entry.ref), ...entryFields(entry)])),
    ]),
  };
}

async function shown(x: Exchange): Promise<readonly ChangeDetails[]> {
  const { history } = admin(x).deps.node;
  const name = x.param('position');
  const ref: ChangeRef = /^[\d.]+$/.test(name) ? parseRef(name) : await history.find(name);
  return history.show(ref);
}

function details(changes: readonly ChangeDetails[]): Answer {
  return {
    kind: 'data',
    value: {
      changes: { change: changes.map((change) => ({ ...entryValue(change), ...filesValue(change.files) })) },
    },
    element: el(
      'changes',
      changes.map((change) => el('change', [...entryFields(change), ...filesFields(change.files)])),
    ),
  };
}

async function* diffOfChanges(
  x: Exchange,
  changes: readonly ChangeDetails[],
  path: TreePath | undefined,
): AsyncGenerator<string> {
  for (const change of changes) {
    const { ref, id, by, address, node, at, why } = change;
    yield `change ${ref} (${id})\nby ${by}${address ? ` from ${address}` : ''} at ${at} on node ${node}\n    ${why}\n\n`;
    const files = path === undefined ? change.files : change.files.filter((file) => isAt(file, path));
    yield* x.deps.node.history.diffOf({ ...change, files });
  }
}

function isAt({ path, from }: FileChange, folder: TreePath): boolean {
  return isWithin(path, folder) || (from !== undefined && isWithin(from, folder));
}

/** The first piece is waited for: what fails at once is answered with its status. */
async function diffAnswer(x: Exchange, pieces: AsyncGenerator<string>): Promise<Answer> {
  const first = await pieces.next();
  async function* all() {
    if (!first.done) yield first.value;
    yield* pieces;
  }
  const asked = x.negotiated.contentType;
  return { kind: 'bytes', body: Readable.from(all()), contentType: `${asked};charset=UTF-8` };
}

// ---- going back

async function revertRequest(x: Exchange): Promise<RevertRequest> {
  const text = await x.readText();
  let body: unknown;
  try {
    body = JSON.parse(text === '' ? '{}' : text);
  } catch (error) {
    throw new UserError(400, 'bad-json', `the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new UserError(400, 'bad-body', 'the body is to be a JSON object like {"position": 12}');
  const given = body as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).filter((key) => !REVERT_BODY_KEYS.includes(key as never));
  if (unknown.length > 0)
    throw new UserError(
      400,
      'bad-body',
      `unknown: ${unknown.join(', ')}; what can be given is ${REVERT_BODY_KEYS.join(', ')}`,
    );
  const targets = (['position', 'change', 'to'] as const).filter((key) => given[key] !== undefined);
  if (targets.length !== 1)
    throw new UserError(
      400,
      'bad-body',
      'give exactly one of position (12 or "12.2"), change (its id) and to (back to the state at this position)',
    );
  const path = textIn(given, 'path');
  const why = reason(textIn(given, 'why'));
  return {
    target: targetOf(given, targets[0]!),
    dryRun: flagIn(given, 'dryRun'),
    force: flagIn(given, 'force'),
    ...(path && { path: checkedPath(path) }),
    ...(why && { why }),
  };
}

function targetOf(
  given: Readonly<Record<string, unknown>>,
  key: 'position' | 'change' | 'to',
): RevertRequest['target'] {
  const value = given[key];
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new UserError(400, 'bad-body', `${key} is to be a number or a text`);
  switch (key) {
    case 'position':
      return { kind: 'change', ref: named(key, () => parseRef(String(value))) };
    case 'change':
      return { kind: 'id', id: String(value) };
    case 'to':
      return { kind: 'to', position: position(key, String(value)) };
  }
}

function textIn(given: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = given[key];
  if (value !== undefined && typeof value !== 'string') throw new UserError(400, 'bad-body', `${key} is to be a text`);
  return value as string | undefined;
}

/** It stands in the history for good, on one line. */
function reason(why: string | undefined): string | undefined {
  if (why !== undefined && (why.length > WHY_CHARACTERS_MAX || /[\u0000-\u001f\u007f]/.test(why)))
    throw new UserError(
      400,
      'bad-parameter',
      `why: one line of at most ${WHY_CHARACTERS_MAX} characters is expected, this has ${why.length}`,
    );
  return why;
}

function flagIn(given: Readonly<Record<string, unknown>>, key: string): boolean {
  const value = given[key] ?? false;
  if (typeof value !== 'boolean') throw new UserError(400, 'bad-body', `${key} is to be true or false`);
  return value;
}

async function answered(
  x: Exchange,
  revert: (origin: ReturnType<Exchange['origin']>) => Promise<Reverted>,
): Promise<Answer> {
  x.position = await x.deps.node.catchUp();
  try {
    const { conflicts, files, ...rest } = await revert(x.origin());
    x.position = rest.position;
    const { position: at, changed, what, diff } = rest;
    return {
      kind: 'data',
      value: { position: at, changed, what, ...filesValue(files), conflicts, ...(diff !== undefined && { diff }) },
      element: el('revert', [
        el('position', at),
        el('changed', changed),
        el('what', what),
        ...filesFields(files),
        ...conflictFields(conflicts),
        diff === undefined ? undefined : el('diff', diff),
      ]),
    };
  } catch (error) {
    if (!(error instanceof RevertConflictError)) throw error;
    const { message, conflicts } = error;
    return {
      kind: 'data',
      status: 409,
      value: { message, conflicts },
      element: el('conflict', [el('message', message), ...conflictFields(conflicts)]),
    };
  }
}

// ---- parameters

function limitOf(x: Exchange): number {
  const text = x.query('limit');
  if (text === undefined || text === '') return LIMIT_DEFAULT;
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < 1 || value > LIST_MAX)
    throw new UserError(400, 'bad-parameter', `limit=${text}: a whole number from 1 to ${LIST_MAX} is expected`);
  return value;
}

function positionOf(x: Exchange, name: string): Position | undefined {
  const text = x.query(name);
  return text === undefined || text === '' ? undefined : position(name, text);
}

function position(name: string, text: string): Position {
  if (!/^\d{1,15}$/.test(text))
    throw new UserError(400, 'bad-parameter', `${name}=${text}: a position, a whole number from ${START}, is expected`);
  return Number(text) as Position;
}

/** Names the parameter that a complaint is about. */
function named<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof UserError) throw new UserError(error.status, error.code, `${name}: ${error.message}`);
    throw error;
  }
}

function pathOf(x: Exchange): TreePath | undefined {
  const text = x.query('path');
  return text === undefined || text === '' || text === '/' ? undefined : checkedPath(text);
}

function checkedPath(text: string): TreePath {
  return named('path', () => treePath(text.replace(/^\/|\/$/g, '')));
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 7 * 86_400e3 };

/** A moment, or how long ago. */
function timeOf(x: Exchange, name: string): number | undefined {
  const text = x.query(name)?.trim();
  if (text === undefined || text === '') return undefined;
  const ago = /^(\d{1,6})\s*([smhdw])$/.exec(text);
  if (ago !== null) return x.deps.clock.now() - Number(ago[1]) * UNITS_MS[ago[2]!]!;
  const time = /^\d{4}-\d\d-\d\d/.test(text)
    ? Date.parse(text.replace(/ (\d\d:\d\d)$/, '+$1').replace(' ', 'T'))
    : Number.NaN;
  if (Number.isNaN(time))
    throw new UserError(
      400,
      'bad-parameter',
      `${name}=${text}: a time like 2026-05-31 or 2026-05-31T12:00:00Z, or how long ago (90m, 12h, 3d, 2w), is expected`,
    );
  return time;
}

// ---- answers

function entryValue({ steps, files: _, ...entry }: ChangeEntry & { files?: unknown }) {
  return { ...entry, stepCount: steps.length, steps: steps.slice(0, STEPS_SHOWN_MAX) };
}

function entryFields(entry: ChangeEntry): XmlElement[] {
  const { ref, position: at, kind, id, by, address, node, why, steps } = entry;
  const facts = {
    name: ref,
    ref,
    position: at,
    kind,
    at: entry.at,
    by,
    address,
    node,
    why,
    id,
    stepCount: steps.length,
  };
  return [
    ...Object.entries(facts).flatMap(([key, value]) => (value === undefined ? [] : el(key, String(value)))),
    ...steps.slice(0, STEPS_SHOWN_MAX).map((step) => el('step', [], texts(step))),
  ];
}

function filesValue(files: readonly FileChange[]) {
  return { fileCount: files.length, files: files.slice(0, FILES_SHOWN_MAX).map(withoutSecrets) };
}

function filesFields(files: readonly FileChange[]): XmlElement[] {
  const shownFiles = files.slice(0, FILES_SHOWN_MAX).map((file) => {
    const { kind, path, from, before, after } = withoutSecrets(file);
    return el('file', [
      el('kind', kind),
      el('path', path),
      from === undefined ? undefined : el('from', from),
      before === undefined ? undefined : el('before', [], texts(before)),
      after === undefined ? undefined : el('after', [], texts(after)),
    ]);
  });
  return [el('fileCount', files.length), ...shownFiles];
}

/** Hashes of short secrets would let people check their guesses. */
function withoutSecrets(file: FileChange) {
  const { before, after, ...rest } = file;
  if (!isSecretFile(file.path) && !(file.from !== undefined && isSecretFile(file.from))) return file;
  return { ...rest, ...(before && { before: { size: before.size } }), ...(after && { after: { size: after.size } }) };
}

function conflictFields(conflicts: Reverted['conflicts']): XmlElement[] {
  return conflicts.map(({ path, reason, changedBy }) =>
    el('conflict', [el('path', path), el('reason', reason), ...changedBy.map((ref) => el('changedBy', ref))]),
  );
}

function texts(value: object): Record<string, string> {
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, String(each)]));
}
