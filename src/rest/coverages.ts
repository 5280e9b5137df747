import { UserError } from '../base/index.ts';
import {
  type Coverage,
  type CoverageStore,
  createLayer,
  createResource,
  type Resource,
  type Store,
} from '../catalog/index.ts';
import { type CoverageSource, DataError } from '../data/index.ts';
import { XmlElement } from '../xml/index.ts';
import { type Answer, el } from './answers.ts';
import { ensureDefaultStyles } from './default-styles.ts';
import { boxElements, type CoverageFacts, completeCoverage, nativeCrsOf } from './describe.ts';
import type { Exchange } from './exchange.ts';
import { textOf, withChild } from './payload.ts';
import { wantedAgain } from './recompute.ts';
import {
  orUndefined,
  type ResourceEndpoints,
  refuseOtherStore,
  resourceRoutes,
  storeForNew,
} from './resource-routes.ts';

const ENDPOINTS: ResourceEndpoints = {
  store: 'coverageStore',
  kind: 'coverage',
  path: 'coverages',
  list: 'coverages',
  word: 'coverage',
  produces: ['xml', 'json', 'html'],
  recalculate: 'calculate',
  availableItem: 'coverageName',
  available,
  create,
  recompute,
};

export const coverageRoutes = resourceRoutes(ENDPOINTS);

async function available(x: Exchange, store: Store, wanted: string): Promise<readonly string[]> {
  if (wanted !== 'all' && wanted !== 'available')
    throw new UserError(400, 'bad-parameter', `list=${wanted}: configured, available or all is expected`);
  const names = await (await x.raster(store as CoverageStore)).names();
  if (wanted === 'all') return names;
  const published = new Set(Array.from(x.view.resources(store), (resource) => nativeNameOf(resource as Coverage)));
  return names.filter((name) => !published.has(name));
}

function nativeNameOf(coverage: Coverage): string {
  return coverage.nativeCoverageName ?? coverage.nativeName;
}

interface Prepared {
  readonly storeHash: string | undefined;
  readonly facts: CoverageFacts | undefined;
}

async function create(x: Exchange, body: XmlElement): Promise<Answer> {
  const sent = withChild(body, el('enabled', true));
  const store = (view: typeof x.view) => storeForNew(x, ENDPOINTS, { view, sent });
  const made = await x.write<Prepared, string>({
    prepare: async (view) => {
      const found = orUndefined(() => store(view));
      if (found === undefined) return { storeHash: undefined, facts: undefined };
      return { storeHash: found.hash, facts: await readFacts(x, found as CoverageStore, sent) };
    },
    stillHolds: ({ storeHash }, draft) => orUndefined(() => store(draft))?.hash === storeHash,
    evaluate: (draft, { facts }) => {
      const found = store(draft);
      refuseOtherStore(draft, found, sent);
      ensureDefaultStyles(draft, x.env());
      const coverage = createResource(
        draft,
        found,
        facts === undefined ? sent : completeCoverage(sent, facts),
        x.env(),
      );
      createLayer(draft, coverage, {}, x.env());
      return coverage.name;
    },
  });
  const name = made ?? textOf(sent, 'name') ?? '';
  const { store: inUrl } = x.params;
  const base = inUrl === undefined ? ['coverages'] : ['coveragestores', inUrl, 'coverages'];
  return { kind: 'created', name, location: x.url('workspaces', x.param('workspace'), ...base, name) };
}

async function readFacts(x: Exchange, store: CoverageStore, sent: XmlElement): Promise<CoverageFacts> {
  const opened = await x.raster(store);
  const native = textOf(sent, 'nativeCoverageName') ?? textOf(sent, 'nativeName');
  const names = await opened.names();
  const name = textOf(sent, 'name');
  // A name that is not one of the store's is the client's own for its only coverage.
  return opened.source(
    native !== undefined && names.includes(native)
      ? native
      : name !== undefined && names.includes(name)
        ? name
        : undefined,
  );
}

/** The elements that a PUT computes again from the data. */
async function recompute(x: Exchange, resource: Resource, sent: XmlElement): Promise<readonly XmlElement[]> {
  const coverage = resource as Coverage;
  const wanted = wantedAgain({ asked: x.query('calculate'), sent, resource: coverage, more: 'dimensions' });
  if (!wanted.native && !wanted.latLon && !wanted.more) return [];
  let source: CoverageSource;
  try {
    const store = x.view.storeById(coverage.storeId);
    if (store?.kind !== 'coverageStore') throw new DataError('not-found', `coverage ${coverage.name} has no store`);
    source = await (await x.raster(store)).source(nativeNameOf(coverage));
  } catch (error) {
    if (error instanceof DataError && !wanted.explicitly) return [];
    throw error;
  }
  const [native, latLon] = boxElements({
    box: source.box,
    native: wanted.policy === 'FORCE_DECLARED' ? wanted.srs : nativeCrsOf(source),
    srs: wanted.srs,
  });
  const dimensions = completeCoverage(XmlElement.of('coverage'), source).child('dimensions');
  return [
    ...(wanted.native ? [native] : []),
    ...(wanted.latLon ? [latLon] : []),
    ...(wanted.more && dimensions !== undefined ? [dimensions] : []),
  ];
}
