/** The cluster as the extension of GeoServer shows it, and what is new below it. */
import { UserError } from '../base/index.ts';
import type { NodeReport } from '../cluster/index.ts';
import type { NodeStatus } from '../log/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { el } from './answers.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './routes.ts';

export const clusterRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/cluster',
    summary: "Shows the node's cluster configuration, by the keys of cluster.properties",
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const entries = Object.entries(properties(x));
      return {
        kind: 'object',
        element: el(
          'properties',
          entries.map(([name, value]) => el('property', [], { name, value })),
        ),
        json: { array: (parent, child) => parent === 'properties' && child === 'property' },
      };
    },
  },
  {
    method: 'GET',
    path: '/cluster/status',
    summary: 'Shows how this node is: role, position in the log, digest, state',
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
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const nodes = x.deps.node.members();
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
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const node = x.deps.node.members().find(({ name }) => name === x.param('node'));
      if (node === undefined)
        throw new UserError(404, 'node-not-found', `No such node: ${x.param('node')} is not heard of now`);
      return { kind: 'data', value: { node }, element: el('node', fields(node)) };
    },
  },
];

function fields(status: NodeStatus | NodeReport): XmlElement[] {
  return Object.entries(status).flatMap(([key, value]) => (value === undefined ? [] : el(key, String(value))));
}

/** The extension's keys with what the node knows; what was configured otherwise wins. */
function properties(x: Exchange): Record<string, string> {
  const { node } = x.deps;
  const status = node.status();
  return {
    instanceName: node.name,
    group: 'geoserver-cluster',
    topicName: 'VirtualTopic.geoserver',
    brokerURL: status.logUrl,
    toggleMaster: String(node.role === 'both'),
    toggleSlave: String(node.role !== 'paused'),
    readOnly: String(node.role !== 'both'),
    embeddedBroker: String(status.logUrl.startsWith('embedded:')),
    durable: 'true',
    connection: status.state === 'stale' ? 'disabled' : 'enabled',
    'connection.retry': '10',
    'connection.maxwait': '500',
    ...x.deps.clusterProperties?.(),
  };
}
