import { readFileSync } from 'node:fs';
import { GEOSERVER_VERSION, UserError, VERSION } from '../base/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el } from './answers.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './routes.ts';

interface Component {
  readonly name: string;
  readonly version: string;
}

/**
 * What clients look for: the GeoServer whose API this is, its libraries by name, and what it really is. GeoTools is
 * numbered along with GeoServer (2.27 goes with 33), GeoWebCache as GeoServer minus one.
 */
const [, GS_MINOR = '0', GS_PATCH = '0'] = GEOSERVER_VERSION.split('.');
const COMPONENTS: readonly Component[] = [
  { name: 'GeoServer', version: GEOSERVER_VERSION },
  { name: 'GeoTools', version: `${Number(GS_MINOR) + 6}.${GS_PATCH}` },
  { name: 'GeoWebCache', version: `1.${GS_MINOR}.${GS_PATCH}` },
  { name: 'Graticule', version: VERSION },
];

const STARTED = new Date(performance.timeOrigin).toISOString();

export const aboutRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/about/version',
    summary: 'Shows the version of GeoServer whose API is served, and that of Graticule',
    produces: ['html', 'json', 'xml'],
    query: ['manifest', 'from', 'to', 'key', 'value'],
    handle: (x) => present(x, COMPONENTS),
  },
  {
    method: 'GET',
    path: '/about/manifest',
    summary: 'Shows the versions of the libraries in use',
    produces: ['html', 'json', 'xml'],
    query: ['manifest', 'from', 'to', 'key', 'value'],
    handle: (x) => present(x, [...COMPONENTS, ...libraries()]),
  },
  {
    method: 'GET',
    path: '/about/status',
    summary: 'Shows the modules and how they are',
    produces: ['html', 'json', 'xml'],
    handle: (x) => presentStatus(x, modules(x)),
  },
  {
    method: 'GET',
    path: '/about/status/{module}',
    summary: 'Shows one module and how it is',
    produces: ['html', 'json', 'xml'],
    handle: (x) => {
      const wanted = x.param('module').toLowerCase();
      const found = modules(x).filter(
        (module) => module.module.toLowerCase() === wanted || module.name.toLowerCase() === wanted,
      );
      if (found.length === 0) throw new UserError(404, 'module-not-found', `No such module: ${x.param('module')}`);
      return presentStatus(x, found);
    },
  },
  {
    method: 'GET',
    path: '/about/system-status',
    summary: 'Shows the load of the node, as a list of metrics',
    produces: ['json', 'xml', 'html'],
    handle: systemStatus,
  },
];

function present(x: Exchange, all: readonly Component[]): Answer {
  const pattern = x.query('manifest');
  let matches: RegExp | undefined;
  try {
    matches = pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`);
  } catch {
    throw new UserError(400, 'bad-parameter', `manifest=${pattern}: a regular expression is expected`);
  }
  const from = x.query('from');
  const to = x.query('to');
  const key = x.query('key');
  const value = x.query('value');
  const found = all.filter(
    ({ name, version }) =>
      (matches?.test(name) ?? true) &&
      (from === undefined || name >= from) &&
      (to === undefined || name <= to) &&
      (key === undefined || key === 'Version') &&
      (value === undefined || value === version),
  );
  return {
    kind: 'object',
    element: el(
      'about',
      found.map(({ name, version }) =>
        el('resource', [el('Build-Timestamp', STARTED), el('Version', version), el('Git-Revision', 'unknown')], {
          name,
        }),
      ),
    ),
    json: { array: (parent, child) => parent === 'about' && child === 'resource' },
  };
}

let known: readonly Component[] | undefined;

/** The project's own dependencies, as they are installed. */
function libraries(): readonly Component[] {
  if (known !== undefined) return known;
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  known = Object.entries(manifest.dependencies ?? {}).map(([name, version]) => ({ name, version }));
  return known;
}

interface Module {
  readonly module: string;
  readonly name: string;
  readonly component: string;
  readonly version: string;
  readonly message: string;
  readonly isEnabled: boolean;
  readonly isAvailable: boolean;
}

function modules(x: Exchange): Module[] {
  const report = x.deps.node.status();
  return [
    {
      module: 'gs-main',
      name: 'Graticule',
      component: 'Server',
      version: VERSION,
      message: `Node.js ${process.version}`,
      isEnabled: true,
      isAvailable: true,
    },
    {
      module: 'gs-cluster',
      name: 'Cluster',
      component: 'Replication',
      version: VERSION,
      message: report.reason ?? `node ${report.name} is ${report.state} at position ${report.position}`,
      isEnabled: true,
      isAvailable: report.state === 'in-step' || report.state === 'behind',
    },
  ];
}

function presentStatus(_x: Exchange, found: readonly Module[]): Answer {
  const fields = (module: Module): XmlElement[] =>
    Object.entries(module).map(([key, value]) => el(key, value as string | boolean));
  return {
    kind: 'object',
    element: el(
      'about',
      found.map((module) => el('status', fields(module))),
    ),
    json: { array: (parent, child) => parent === 'about' && child === 'status' },
  };
}

function systemStatus(): Answer {
  const memory = process.memoryUsage();
  const metric = (identifier: string, description: string, category: string, unit: string, value: number): XmlElement =>
    el('metric', [
      el('available', true),
      el('category', category),
      el('description', description),
      el('identifier', identifier),
      el('name', identifier),
      el('priority', 1),
      el('unit', unit),
      el('value', value),
    ]);
  return {
    kind: 'object',
    element: el('metrics', [
      metric('PROCESS_MEMORY', 'Memory of the process', 'PROCESS', 'bytes', memory.rss),
      metric('HEAP_USED', 'JavaScript heap in use', 'PROCESS', 'bytes', memory.heapUsed),
      metric('PROCESS_UPTIME', 'Time since the process started', 'PROCESS', 's', Math.round(process.uptime())),
    ]),
    json: { array: (parent, child) => parent === 'metrics' && child === 'metric' },
  };
}
