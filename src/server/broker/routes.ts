/** The table of the console's endpoints: what is served is what is in it, and the OpenAPI description is made from it. */
import { setTimeout as pause } from 'node:timers/promises';
import { UserError } from '../../base/index.ts';
import type { Broker, BrokerStatus, GroupNode, GroupStatus } from '../../log/index.ts';
import { type ApiAbout, type DescribedRoute, describeApi } from '../../rest/index.ts';
import type { ConsoleUser } from './accounts.ts';
import { lagOf } from './lag.ts';
import { detailsOf, type RecordDetails, type RecordSummary, summaryOf } from './records.ts';

/** A request that has been let in. */
export interface ConsoleRequest {
  readonly broker: Broker;
  /** A variable segment of the path. */
  param(name: string): string;
  query(name: string): string | undefined;
  /** The body, which is a JSON object with no other keys than these; empty when there is none. */
  body(...keys: readonly string[]): Readonly<Record<string, unknown>>;
  readonly user: ConsoleUser;
  /** Who asks, for people: `admin from 10.0.0.7`. */
  readonly by: string;
  /** Base URL that the client knows this broker by. */
  readonly baseUrl: string;
  /** Says in the broker's log what was done. */
  note(action: string, facts: Readonly<Record<string, unknown>>): void;
}

export interface ConsoleRoute extends DescribedRoute {
  /** @returns what is sent as JSON */
  handle(x: ConsoleRequest): Promise<unknown> | unknown;
}

/** A broker, as it is to whoever asks. */
export interface BrokerView extends BrokerStatus {
  readonly account: {
    readonly user: ConsoleUser;
    /** It sees everything, and changes nothing. */
    readonly readOnly: boolean;
  };
}

/** A node, with how many records it is behind: see `lagOf`. */
export interface NodeView extends GroupNode {
  readonly lag?: number;
}

export interface GroupView extends Omit<GroupStatus, 'nodes'> {
  readonly nodes: readonly NodeView[];
}

/** Some of a group's records, ascending. */
export interface RecordList {
  readonly group: string;
  readonly head: number;
  readonly trimmed: number;
  /** The position that the list begins after. */
  readonly after: number;
  readonly records: readonly RecordSummary[];
}

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 500;
const RECORDS_AT_ONCE = 10;
const REASON_CHARACTERS_MAX = 500;
/** A hand-over takes some tenths of a second. */
const TAKEN_MS = 10_000;
const LOOK_MS = 50;

const json = { produces: ['json'], local: true, status: 200 } as const;
const change = { ...json, method: 'POST', consumes: ['application/json'] } as const;

export const consoleRoutes: readonly ConsoleRoute[] = [
  {
    ...json,
    method: 'GET',
    path: '/broker',
    summary:
      'Shows this broker, its store (room: what it takes, what its disk has left), and the other brokers on it; a waiting one answers as well',
    handle: async (x): Promise<BrokerView> => {
      const account = { user: x.user, readOnly: x.user === 'viewer' };
      return { ...(await x.broker.status()), account };
    },
  },
  {
    ...change,
    path: '/broker/takeover',
    summary:
      'Hands the active role to a waiting broker (to: its name; default: whichever is first), on whichever broker',
    handle: async (x) => {
      const to = nameIn(x.body('to'), 'to');
      x.note('takeover', { to });
      return takeOver(x.broker, to);
    },
  },
  {
    ...json,
    method: 'GET',
    path: '/broker/groups',
    summary: 'Lists the groups: head, what is retained, sizes, snapshots, nodes, rates, and whether it is paused',
    handle: async (x) => ({ groups: (await x.broker.groups()).map(viewOf) }),
  },
  {
    ...json,
    method: 'GET',
    path: '/broker/groups/{group}',
    summary: 'Shows one group',
    handle: async (x) => viewOf(await x.broker.group(x.param('group'))),
  },
  {
    ...json,
    method: 'GET',
    path: '/broker/groups/{group}/nodes',
    summary: 'Lists the nodes of a group: address, state, position, lag',
    handle: async (x) => {
      const { group, head, nodes } = viewOf(await x.broker.group(x.param('group')));
      return { group, head, nodes };
    },
  },
  {
    ...json,
    method: 'GET',
    path: '/broker/groups/{group}/records',
    summary: 'Lists records after a position, ascending (default: the newest ones): size, time, who, what',
    query: ['after', 'limit'],
    handle: async (x): Promise<RecordList> => {
      const name = x.param('group');
      const { head, trimmed } = await x.broker.group(name);
      const limit = wholeNumber('limit', x.query('limit'), 1, LIMIT_MAX) ?? LIMIT_DEFAULT;
      const after = wholeNumber('after', x.query('after')) ?? Math.max(trimmed, head - limit);
      return { group: name, head, trimmed, after, records: await summaries(x.broker, name, after, limit) };
    },
  },
  {
    ...json,
    method: 'GET',
    path: '/broker/groups/{group}/records/{position}',
    summary: 'Shows one record with what it does to each file; secret files are not shown, passwords are masked',
    handle: async (x): Promise<RecordDetails> => {
      const [name, position] = [x.param('group'), wholeNumber('position', x.param('position'), 1)!];
      const [record] = await x.broker.records(name, position - 1, 1);
      if (record?.position !== position)
        throw new UserError(404, 'record-not-found', `the log of ${name} has no record ${position} yet`);
      return detailsOf(record);
    },
  },
  {
    ...change,
    path: '/broker/groups/{group}/pause',
    summary: 'Pauses a group: nothing is appended until it is resumed, reading goes on (reason: what writers are told)',
    handle: async (x) => {
      const [group, reason] = [x.param('group'), lineIn(x.body('reason'), 'reason')];
      await x.broker.pause(group, x.by, reason);
      x.note('pause', { group, reason });
      return viewOf(await x.broker.group(group));
    },
  },
  {
    ...change,
    path: '/broker/groups/{group}/resume',
    summary: 'Ends the pause of a group',
    handle: async (x) => {
      const group = x.param('group');
      x.body();
      await x.broker.resume(group);
      x.note('resume', { group });
      return viewOf(await x.broker.group(group));
    },
  },
  {
    ...change,
    path: '/broker/groups/{group}/trim',
    summary:
      'Removes records and snapshots older than the newest snapshot at or below upTo (default: the newest of all)',
    handle: async (x) => {
      const [group, upTo] = [x.param('group'), positionIn(x.body('upTo'), 'upTo')];
      const before = (await x.broker.group(group)).trimmed;
      const trimmed = await x.broker.trim(group, upTo).catch((error: unknown) => {
        if (error instanceof RangeError) throw new UserError(400, 'bad-position', error.message, { cause: error });
        throw error;
      });
      x.note('trim', { group, upTo, trimmed });
      return { group, trimmed, removed: Math.max(0, trimmed - before) };
    },
  },
  {
    ...change,
    path: '/broker/groups/{group}/disconnect',
    summary: 'Cuts the connections of a node, which may come again',
    handle: async (x) => {
      const [group, node] = [x.param('group'), nameIn(x.body('node'), 'node')];
      if (node === undefined)
        throw new UserError(400, 'bad-body', 'the body names the node to disconnect: {"node":"node-2"}');
      const { nodes } = await x.broker.group(group);
      if (!nodes.some(({ name }) => name === node))
        throw new UserError(
          404,
          'no-such-node',
          `no node ${node} has connected to ${group} since this broker is active`,
        );
      const connections = await x.broker.disconnect(group, node);
      x.note('disconnect', { group, node, connections });
      return { group, node, connections };
    },
  },
  {
    ...json,
    method: 'GET',
    path: '/broker/openapi.json',
    summary: 'Describes the API in OpenAPI 3.1',
    handle: (x) => describeApi(consoleRoutes, x.baseUrl, API),
  },
];

const API: ApiAbout = {
  title: 'Graticule: broker',
  description:
    'What a broker has, and what can be done to it. A broker that waits answers GET /broker and POST /broker/takeover; everything else it refuses with 503 and names the active one. Refusals are JSON: code, for programs; message, for people; active, where another broker is.',
  refusals: {
    401: 'Nobody is logged in',
    403: 'The account changes nothing (viewer), or a page of another site asked',
    404: 'There is no such group, record or node',
    503: 'Another broker is active, or the store cannot be reached',
  },
};

/** Some at a time, so that long records are not in memory together, and others have their turn in between. */
async function summaries(broker: Broker, group: string, after: number, limit: number): Promise<RecordSummary[]> {
  const found: RecordSummary[] = [];
  while (found.length < limit) {
    const wanted = Math.min(RECORDS_AT_ONCE, limit - found.length);
    const some = await broker.records(group, after + found.length, wanted);
    found.push(...some.map(summaryOf));
    if (some.length < wanted) break;
  }
  return found;
}

/** Whoever steps down answers once the next one says that it is active, or when that takes long. */
async function takeOver(broker: Broker, to: string | undefined): Promise<BrokerStatus> {
  const before = await broker.status();
  await broker.takeOver(to);
  for (const deadline = performance.now() + TAKEN_MS; ; await pause(LOOK_MS)) {
    const status = await broker.status();
    const isTaken = status.brokers.some(({ state, name }) => state === 'active' && name !== before.name);
    if (before.state !== 'active' || isTaken || performance.now() > deadline) return status;
  }
}

function viewOf(group: GroupStatus): GroupView {
  return {
    ...group,
    nodes: group.nodes.map((node) => ({ ...node, lag: lagOf(node, group.head) })),
  };
}

function wholeNumber(name: string, text: string | undefined, min = 0, max = Number.MAX_SAFE_INTEGER) {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < min || value > max)
    throw new UserError(
      400,
      'bad-parameter',
      `${name}=${text.slice(0, 40)}: a whole number from ${min}${max < Number.MAX_SAFE_INTEGER ? ` to ${max}` : ''} is expected`,
    );
  return value;
}

type Body = Readonly<Record<string, unknown>>;

function positionIn(body: Body, key: string): number | undefined {
  const value = body[key];
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0)) return value;
  throw new UserError(400, 'bad-body', `${key} is to be a position, a whole number`);
}

/** One line, which others will read. */
function lineIn(body: Body, key: string): string | undefined {
  const value = body[key];
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string' || value.length > REASON_CHARACTERS_MAX || /\p{Cc}/u.test(value))
    throw new UserError(400, 'bad-body', `${key} is to be one line of at most ${REASON_CHARACTERS_MAX} characters`);
  return value;
}

const nameIn = lineIn;
