import { UserError } from '../base/index.ts';
import {
  createLayer,
  createResource,
  type DataStore,
  type FeatureType,
  type Resource,
  type Store,
} from '../catalog/index.ts';
import { DataError, type FeatureSource } from '../data/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el } from './answers.ts';
import { ensureDefaultStyles } from './default-styles.ts';
import {
  attributesElement,
  boxElements,
  completeFeatureType,
  type FeatureFacts,
  geometryOf,
  nativeCrsOf,
  virtualTableOf,
} from './describe.ts';
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
  store: 'dataStore',
  kind: 'featureType',
  path: 'featuretypes',
  list: 'featureTypes',
  word: 'feature type',
  produces: ['html', 'json', 'xml'],
  recalculate: 'recalculate',
  availableItem: 'featureTypeName',
  available,
  complete: withAttributes,
  create,
  recompute,
};

export const featureTypeRoutes = resourceRoutes(ENDPOINTS);

// ---- reading

async function available(x: Exchange, store: Store, wanted: string): Promise<readonly string[]> {
  if (!['available', 'available_with_geom', 'all'].includes(wanted))
    throw new UserError(
      400,
      'bad-parameter',
      `list=${wanted}: configured, available, available_with_geom or all is expected`,
    );
  const opened = await x.vector(store as DataStore);
  const names = await opened.names();
  if (wanted === 'all') return names;
  const published = new Set(Array.from(x.view.resources(store), (resource) => resource.nativeName));
  const unpublished = names.filter((name) => !published.has(name));
  if (wanted === 'available') return unpublished;
  const withGeometry: string[] = [];
  for (const name of unpublished)
    if ((await opened.source(name)).schema.geometryName !== undefined) withGeometry.push(name);
  return withGeometry;
}

/** Attributes are always shown: those of the file, or else those of the data, as far as it can be reached. */
async function withAttributes(x: Exchange, resource: Resource, shown: XmlElement): Promise<XmlElement> {
  if ((shown.child('attributes')?.elements.length ?? 0) > 0) return shown;
  try {
    const { schema } = await sourceOf(x, resource as FeatureType);
    return withChild(shown, attributesElement(schema.attributes));
  } catch (error) {
    if (error instanceof DataError) return shown;
    throw error;
  }
}

async function sourceOf(x: Exchange, type: FeatureType): Promise<FeatureSource> {
  const store = x.view.storeById(type.storeId);
  if (store?.kind !== 'dataStore') throw new DataError('not-found', `feature type ${type.name} has no store`);
  const opened = await x.vector(store);
  return opened.source(type.nativeName, type.virtualTable);
}

// ---- making

interface Prepared {
  readonly storeHash: string | undefined;
  readonly facts: FeatureFacts | undefined;
}

async function create(x: Exchange, body: XmlElement): Promise<Answer> {
  // A new feature type is enabled, whatever was sent.
  const sent = withChild(body, el('enabled', true));
  const name = textOf(sent, 'name') ?? textOf(sent, 'nativeName');
  const store = (view: typeof x.view) => storeForNew(x, ENDPOINTS, { view, sent });
  if (name === undefined)
    throw new UserError(
      400,
      'name-missing',
      'Trying to create new feature type inside the store, but no attributes were specified: a name is missing as well',
    );
  const made = await x.write<Prepared, string>({
    prepare: async (view) => {
      const found = orUndefined(() => store(view));
      if (found === undefined) return { storeHash: undefined, facts: undefined };
      return { storeHash: found.hash, facts: await readFacts(x, found as DataStore, sent) };
    },
    stillHolds: ({ storeHash }, draft) => orUndefined(() => store(draft))?.hash === storeHash,
    evaluate: (draft, { facts }) => {
      const found = store(draft);
      refuseOtherStore(draft, found, sent);
      const element = facts === undefined ? sent : completeFeatureType(sent, facts);
      ensureDefaultStyles(draft, x.env());
      const type = createResource(draft, found, element, x.env());
      const geometry = facts && geometryOf(facts.schema);
      createLayer(draft, type, geometry === undefined ? {} : { geometry }, x.env());
      return found.name;
    },
  });
  const storeName = made ?? store(x.view).name;
  const path = ['workspaces', x.param('workspace'), 'datastores', storeName, 'featuretypes', name];
  return { kind: 'created', name: '', location: x.url(...path) };
}

/** What is only the data's to say. A client that says all of it itself may publish what cannot be reached now. */
async function readFacts(x: Exchange, store: DataStore, sent: XmlElement): Promise<FeatureFacts | undefined> {
  const virtualTable = virtualTableOf(sent);
  const nativeName = textOf(sent, 'nativeName') ?? virtualTable?.name ?? textOf(sent, 'name')!;
  try {
    const opened = await x.vector(store);
    if (virtualTable === undefined && !(await opened.names()).includes(nativeName)) throw noSuchType(sent, nativeName);
    const source = await opened.source(nativeName, virtualTable);
    return { schema: source.schema, box: await source.bounds() };
  } catch (error) {
    const complete = ['srs', 'nativeBoundingBox', 'latLonBoundingBox'].every((name) => sent.child(name) !== undefined);
    if (error instanceof DataError && error.code === 'unreachable' && complete) return undefined;
    throw error;
  }
}

function noSuchType(sent: XmlElement, nativeName: string): UserError {
  const message =
    (sent.child('attributes')?.elements.length ?? 0) === 0
      ? `Trying to create new feature type inside the store, but no attributes were specified: the store holds no "${nativeName}"`
      : `The store holds no "${nativeName}", and tables are not made here: make it in the database first`;
  return new UserError(400, 'type-not-in-store', message);
}

// ---- changing

/** The elements that a PUT computes again from the data. */
async function recompute(x: Exchange, resource: Resource, sent: XmlElement): Promise<readonly XmlElement[]> {
  const type = resource as FeatureType;
  const wanted = wantedAgain({ asked: x.query('recalculate'), sent, resource: type, more: 'attributes' });
  if (!wanted.native && !wanted.latLon && !wanted.more) return [];

  let source: FeatureSource;
  try {
    source = await sourceOf(x, type);
  } catch (error) {
    // Nobody asked for it: the boxes stay as they are.
    if (error instanceof DataError && !wanted.explicitly) return [];
    throw error;
  }
  const [native, latLon] = boxElements({
    box: wanted.native || wanted.latLon ? await source.bounds() : undefined,
    native: wanted.policy === 'FORCE_DECLARED' ? wanted.srs : nativeCrsOf(source.schema),
    srs: wanted.srs,
  });
  return [
    ...(wanted.native ? [native] : []),
    ...(wanted.latLon ? [latLon] : []),
    ...(wanted.more ? [attributesElement(source.schema.attributes)] : []),
  ];
}
