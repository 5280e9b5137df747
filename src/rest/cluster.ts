/** The cluster as the extension of GeoServer shows it, and what is new below it. */
import { UserError } from '../base/index.ts';
import type { Divergence, NodeReport } from '../cluster/index.ts';
import type { NodeStatus } from '../log/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el } from './answers.ts';
import { type ClusterSettings, principalOf, type SettingsChange } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { type Method, OBJECT_TYPES, type Route } from './routes.ts';

const ROLES = ['both', 'replica', 'paused'];

export const clusterRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/cluster',
    summary: "Shows the node's cluster settings, by the keys of cluster.properties",
    local: true,
    produces: ['json', 'xml', 'html'],
    handle: (x) => ({
      kind: 'object',
      element: el(
        'properties',
        settings(x).map(([name, value]) => el('property', [], { name, value })),
      ),
      json: { array: (parent, child) => parent === 'properties' && child === 'property' },
    }),
  },
  {
    method: 'POST',
    path: '/cluster',
    summary: 'Changes cluster settings of this node, in memory and in its cluster.properties',
    consumes: OBJECT_TYPES,
    produces: ['text', 'json', 'xml'],
    local: true,
    status: 201,
    handle: async (x) => {
      const changes = postedProperties(await x.readObject('properties'));
      const done = await changeable(x).change(changes);
      return { ...changeAnswer(x, done, { status: 201, asked: changes }), headers: { location: x.url('cluster') } };
    },
  },
  {
    method: 'GET',
    path: '/cluster/role',
    summary: 'Shows the role of this node: both, replica or paused',
    local: true,
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const { role } = x.deps.node;
      return { kind: 'data', value: { role }, element: el('role', role) };
    },
  },
  ...(['PUT', 'POST'] satisfies Method[]).map(
    (method): Route => ({
      method,
      path: '/cluster/role',
      summary: 'Changes the role of this node at once, and remembers it',
      consumes: [...OBJECT_TYPES, 'text/plain'],
      produces: ['json', 'xml', 'text'],
      local: true,
      handle: async (x) => {
        const role = x.bodyType === 'text/plain' ? await x.readText() : (await x.readObject('role')).text;
        if (!ROLES.includes(role.trim()))
          throw new UserError(
            400,
            'bad-role',
            `"${role.trim().slice(0, 100)}" is no role: both, replica or paused is expected, as in {"role":"replica"}`,
          );
        const done = await changeable(x).change(new Map([['role', role.trim()]]));
        return changeAnswer(x, done, { status: 200 });
      },
    }),
  ),
  {
    method: 'GET',
    path: '/cluster/status',
    summary: 'Shows how this node is: role, position in the log, digest, state',
    local: true,
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const status = x.deps.node.status();
      return { kind: 'data', value: { status }, element: el('status', fields(status)) };
    },
  },
  {
    method: 'GET',
    path: '/cluster/nodes',
    summary: 'Lists the nodes heard of in the last seconds',
    local: true,
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const nodes = members(x);
      return {
        kind: 'data',
        value: { nodes: { node: nodes } },
        element: el(
          'nodes',
          nodes.map((node) => el('node', fields(node))),
        ),
      };
    },
  },
  {
    method: 'GET',
    path: '/cluster/nodes/{node}',
    summary: 'Shows one node',
    local: true,
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const node = members(x).find(({ name }) => name === x.param('node'));
      if (node === undefined)
        throw new UserError(404, 'node-not-found', `No such node: ${x.param('node')} is not heard of now`);
      return { kind: 'data', value: { node }, element: el('node', fields(node)) };
    },
  },
  {
    method: 'GET',
    path: '/cluster/divergences',
    summary: "Lists the times when this node's files were not what the log said: what differed, and how it was mended",
    local: true,
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const divergences = x.deps.node.divergences();
      return {
        kind: 'data',
        value: { divergences: { divergence: divergences } },
        element: el(
          'divergences',
          divergences.map((one) => el('divergence', fields(one))),
        ),
      };
    },
  },
];

/** Everybody heard of, with how many records each is behind. */
function members(x: Exchange): (NodeStatus & { readonly lag: number })[] {
  const { node } = x.deps;
  const heard = node.members();
  const head = Math.max(node.status().head, ...heard.map(({ position }) => position));
  return heard.map((member) => ({ ...member, lag: head - member.position }));
}

/** An element for each property; for each item of a list. */
function fields(value: NodeStatus | NodeReport | Divergence | object): XmlElement[] {
  return Object.entries(value).flatMap(([key, inner]) => {
    if (inner === undefined) return [];
    if (Array.isArray(inner))
      return el(
        key,
        inner.map((item) => el('item', String(item))),
      );
    return el(key, typeof inner === 'object' ? fields(inner) : String(inner));
  });
}

/** The settings, or what the node knows of itself where nobody keeps them. */
function settings(x: Exchange): readonly (readonly [string, string])[] {
  if (x.deps.settings !== undefined) return x.deps.settings.entries();
  const { node } = x.deps;
  return [
    ['instanceName', node.name],
    ['brokerURL', node.status().logUrl],
    ['toggleMaster', String(node.role === 'both')],
    ['toggleSlave', String(node.role !== 'paused')],
    ['role', node.role],
  ];
}

/** @throws UserError  403: who asks is no administrator, whatever the rules say about the rest of the API */
function changeable(x: Exchange): ClusterSettings {
  if (principalOf(x.request)?.isAdmin !== true)
    throw new UserError(403, 'administrators-only', 'only an administrator may change the settings of a node');
  if (x.deps.settings === undefined)
    throw new UserError(403, 'fixed-settings', 'the settings of this node cannot be changed while it runs');
  return x.deps.settings;
}

/** `<properties><property name="toggleMaster" value="false"/></properties>`; a text within works like `value`. */
function postedProperties(root: XmlElement): Map<string, string> {
  const changes = new Map<string, string>();
  for (const property of root.elements) {
    const name = property.attribute('name') ?? property.childText('name');
    if (property.local !== 'property' || name === undefined || name === '')
      throw new UserError(
        400,
        'bad-settings',
        'a list of properties with name and value is expected, as GET gives it: {"properties":{"property":[{"@name":"toggleMaster","@value":"false"}]}}',
      );
    changes.set(name, property.attribute('value') ?? property.childText('value') ?? property.text.trim());
  }
  if (changes.size === 0)
    throw new UserError(400, 'bad-settings', 'the list of properties is empty; nothing was changed');
  return changes;
}

const EFFECTS: Readonly<Record<SettingsChange['changed'][number]['effect'], string>> = {
  now: 'holds now',
  reopened: 'holds now; the node was opened again for it',
  reopening: 'holds as soon as the node is open again; /rest/cluster/status says when',
  kept: 'remembered; it has no effect here',
};

function changeAnswer(
  x: Exchange,
  { changed, warnings }: SettingsChange,
  options: { readonly status: number; readonly asked?: ReadonlyMap<string, string> },
): Extract<Answer, { kind: 'data' | 'text' }> {
  const { role } = x.deps.settings === undefined ? x.deps.node : { role: roleIn(x.deps.settings) };
  if (x.negotiated.format === 'text') {
    // GeoServer answers with the map as Java prints it.
    const shown = options.asked ?? new Map([['role', role]]);
    const secretFree = new Map(changed.map(({ key, value }) => [key, value]));
    const known = new Map(x.deps.settings?.entries() ?? []);
    const map = [...shown.keys()].map((key) => `${key}=${secretFree.get(key) ?? known.get(key) ?? ''}`).join(', ');
    const lines = changed.map(({ key, value, effect }) => `${key}=${value}: ${EFFECTS[effect]}`);
    return {
      kind: 'text',
      status: options.status,
      text: [`{${map}}`, ...lines, ...warnings.map((text) => `Warning: ${text}`)].join('\n'),
    };
  }
  return {
    kind: 'data',
    status: options.status,
    value: { role, changed, warnings },
    element: el('settingsChange', [
      el('role', role),
      ...changed.map((each) => el('changed', [], { ...each })),
      ...warnings.map((text) => el('warning', text)),
    ]),
  };
}

function roleIn(kept: ClusterSettings): string {
  return kept.entries().find(([key]) => key === 'role')?.[1] ?? 'both';
}
