/** From the names in a request to the layers that are drawn: groups taken apart, styles and filters found. */
import type { CatalogView, FeatureType, Layer, LayerGroup, Resource } from '../../catalog/index.ts';
import { and, type Filter, FilterError, INCLUDE, parseCql, parseFilterXml } from '../../data/filter/index.ts';
import { parseXml, XmlError } from '../../xml/index.ts';
import { OgcException } from '../common/exceptions.ts';
import { splitOutside } from '../common/parameters.ts';
import { findPublished, findStyle, type Published, publicName, type ServiceScope } from '../common/service-scope.ts';
import type { GetMap } from './request.ts';
import { type NamedLayer, parseStyleDocument, type StyleDocument } from './sld.ts';
import type { LoadedStyle, StyleShelf } from './styles.ts';

/** One layer of a map, bottom first; a layer with several styles comes once for each. */
export interface PlannedLayer {
  /** As a client of the service would name it. */
  readonly name: string;
  readonly layer: Layer;
  readonly resource: Resource;
  readonly style: LoadedStyle;
  readonly filter: Filter | undefined;
  /** Index of the parameter's part that it comes from. */
  readonly index: number;
}

export interface PlanOptions {
  readonly view: CatalogView;
  readonly scope: ServiceScope;
  readonly styles: StyleShelf;
  readonly layersMax: number;
  /** Style document of the request, and the parameter it came in. */
  readonly document: { readonly parsed: StyleDocument; readonly parameter: string } | undefined;
}

/** @throws OgcException */
export function planMap(request: GetMap, options: PlanOptions): PlannedLayer[] {
  const planner = new Planner(request, options);
  const { document } = options;
  if (request.layers.length === 0 && document !== undefined) planner.addDocument(document.parsed, 0, undefined);
  else for (const [index, name] of request.layers.entries()) planner.addRequested(name, index);
  return planner.planned;
}

class Planner {
  readonly planned: PlannedLayer[] = [];
  readonly #request: GetMap;
  readonly #options: PlanOptions;
  readonly #filters: readonly Filter[];

  constructor(request: GetMap, options: PlanOptions) {
    this.#request = request;
    this.#options = options;
    this.#filters = filtersOf(request);
  }

  addRequested(name: string, index: number): void {
    const published = this.#find(name);
    const styleName = this.#request.styles[index] ?? '';
    const filter = this.#filters[index];
    if (published.kind === 'layer') this.#addLayer(published, { styleName, filter, index });
    else {
      // A group has one style, which goes by these names.
      if (!['', 'default', `default-style-${published.name}`, `default-style-${name}`].includes(styleName))
        throw new OgcException('StyleNotDefined', `layer group ${name} has no style ${styleName}`, {
          locator: 'styles',
        });
      this.#addGroup(published, { filter, index, above: [] });
    }
  }

  /** All layers of a style document, in its order, each with all its styles. */
  addDocument(document: StyleDocument, index: number, filter: Filter | undefined): void {
    for (const named of document.layers) {
      const published = this.#find(named.name);
      const restricted = and(filter, named.filter);
      if (published.kind === 'layerGroup') {
        this.#addGroup(published, { filter: restricted, index, above: [] });
        continue;
      }
      if (named.styles.length === 0) this.#addLayer(published, { styleName: '', filter: restricted, index });
      for (const style of named.styles) {
        if (style.kind === 'named') this.#addLayer(published, { styleName: style.name, filter: restricted, index });
        else this.#push(published, this.#options.styles.inline(style.bytes()), { filter: restricted, index });
      }
    }
  }

  #find(name: string): Published {
    const { view, scope } = this.#options;
    const published = findPublished(view, scope, name);
    const servable =
      published !== undefined &&
      (published.kind === 'layer' ? isServed(view, published) : published.enabled && published.mode !== 'CONTAINER');
    if (servable) return published;
    throw new OgcException('LayerNotDefined', `there is no layer ${name} here`, { locator: 'layers' });
  }

  #addLayer(layer: Layer, part: { styleName: string; filter: Filter | undefined; index: number }): void {
    const { view, scope, styles } = this.#options;
    const own = this.#ofDocument(layer, part.styleName);
    if (own !== undefined) {
      this.#push(layer, own.style, { filter: and(part.filter, own.filter), index: part.index });
      return;
    }
    const style =
      part.styleName !== ''
        ? findStyle(view, scope, part.styleName)
        : layer.defaultStyleId === undefined
          ? undefined
          : view.styleById(layer.defaultStyleId);
    if (style === undefined) {
      const message =
        part.styleName === ''
          ? `layer ${view.nameOf(layer)} has no default style; name one in STYLES`
          : `there is no style ${part.styleName} here`;
      throw new OgcException('StyleNotDefined', message, { locator: 'styles' });
    }
    this.#push(layer, styles.get(style), part);
  }

  /**
   * The style that the request's document has for a layer named in LAYERS (the document as a library of styles): the one of the name asked
   * for, otherwise the default one or else the first.
   *
   * @see OGC 02-070 (SLD 1.0), 5.2
   */
  #ofDocument(layer: Layer, styleName: string): { style: LoadedStyle; filter: Filter | undefined } | undefined {
    const { document, styles, view, scope } = this.#options;
    if (document === undefined || this.#request.layers.length === 0) return undefined;
    const isThis = (named: NamedLayer) => {
      const published = findPublished(view, scope, named.name);
      return published?.kind === 'layer' && published.id === layer.id;
    };
    for (const named of document.parsed.layers.filter(isThis)) {
      const users = named.styles.filter((style) => style.kind === 'user');
      const chosen =
        styleName === ''
          ? (users.find((style) => style.isDefault) ?? users[0])
          : users.find((style) => style.name === styleName);
      if (chosen !== undefined) return { style: styles.inline(chosen.bytes()), filter: named.filter };
      const inCatalog = styleName === '' ? named.styles.find((style) => style.kind === 'named') : undefined;
      const style = inCatalog && findStyle(view, scope, inCatalog.name);
      if (style !== undefined) return { style: styles.get(style), filter: named.filter };
    }
    return undefined;
  }

  /** Members that are gone or disabled are left out: a group outlives them. */
  #addGroup(group: LayerGroup, part: { filter: Filter | undefined; index: number; above: readonly string[] }): void {
    const { view, styles } = this.#options;
    if (part.above.includes(group.id)) return;
    const addMember = (layer: Layer | undefined, styleId: string | undefined) => {
      if (layer === undefined || !isServed(view, layer)) return;
      const style = styleId === undefined ? undefined : view.styleById(styleId);
      if (style === undefined) this.#addLayer(layer, { ...part, styleName: '' });
      else this.#push(layer, styles.get(style), part);
    };
    if (group.mode === 'EO') {
      const root = group.rootLayerId === undefined ? undefined : view.layerById(group.rootLayerId);
      addMember(root, group.rootLayerStyleId);
      return;
    }
    group.publishables.forEach((member, i) => {
      const styleId = group.styleIds[i];
      if (member === undefined) {
        const style = styleId === undefined ? undefined : view.styleById(styleId);
        if (style === undefined) return;
        const document = parseStyleDocument(styles.get(style).body.bytes, `style ${style.name}`);
        this.addDocument(document, part.index, part.filter);
      } else if (member.type === 'layer') addMember(view.layerById(member.id), styleId);
      else {
        const inner = view.byId('layerGroup', member.id);
        if (inner?.enabled) this.#addGroup(inner, { ...part, above: [...part.above, group.id] });
      }
    });
  }

  #push(layer: Layer, style: LoadedStyle, part: { filter: Filter | undefined; index: number }): void {
    const { view, scope, layersMax } = this.#options;
    const resource = view.resourceOf(layer)!;
    const name = publicName(scope, resource.name, view.workspaceOf(layer));
    const filter = resource.kind === 'featureType' ? and(ownFilter(resource, name), part.filter) : INCLUDE;
    if (this.planned.length >= layersMax) {
      const message = `the map has more than ${layersMax} layers, groups taken apart; ask for fewer`;
      throw new OgcException('InvalidParameterValue', message, { locator: 'layers' });
    }
    this.planned.push({
      name,
      layer,
      resource,
      style,
      filter: filter.kind === 'include' ? undefined : filter,
      index: part.index,
    });
  }
}

/** Whether a layer, its resource and its store are all there and enabled. Advertised or not makes no difference. */
function isServed(view: CatalogView, layer: Layer): boolean {
  const resource = view.resourceOf(layer);
  return resource?.enabled === true && view.storeById(resource.storeId)?.enabled === true;
}

const ownFilters = new WeakMap<FeatureType, Filter>();

/** The filter that a feature type has in the catalog. */
function ownFilter(type: FeatureType, name: string): Filter {
  if (type.cqlFilter === undefined || type.cqlFilter.trim() === '') return INCLUDE;
  let filter = ownFilters.get(type);
  if (filter === undefined) {
    try {
      filter = parseCql(type.cqlFilter);
    } catch (cause) {
      if (!(cause instanceof FilterError)) throw cause;
      // Drawing without it would show what is to be hidden.
      const message = `layer ${name} cannot be drawn: the filter in its settings cannot be understood`;
      throw new OgcException('NoApplicableCode', message, { locator: 'layers', cause });
    }
    ownFilters.set(type, filter);
  }
  return filter;
}

/** The filters of a request, one for each of its layers, or none. */
function filtersOf(request: GetMap): readonly Filter[] {
  const { cqlFilter, filter, featureIds, layers } = request;
  const given = [
    cqlFilter !== undefined && 'CQL_FILTER',
    filter !== undefined && 'FILTER',
    featureIds.length > 0 && 'FEATUREID',
  ].filter((name) => name !== false);
  const [name] = given;
  if (name === undefined) return [];
  const locator = name.toLowerCase();
  if (given.length > 1)
    throw new OgcException('InvalidParameterValue', `${given.join(' and ')} exclude each other; give one`, { locator });
  if (featureIds.length > 0) return layers.map(() => ({ kind: 'ids', ids: featureIds }));
  let filters: Filter[];
  try {
    filters = cqlFilter !== undefined ? splitOutside(cqlFilter, ';').map(cqlPart) : xmlParts(filter!).map(xmlPart);
  } catch (cause) {
    if (!(cause instanceof FilterError) && !(cause instanceof XmlError)) throw cause;
    throw new OgcException('InvalidParameterValue', `${name} cannot be understood: ${cause.message}`, {
      locator,
      cause,
    });
  }
  if (filters.length !== layers.length) {
    const message = `${name} has ${filters.length} filters for ${layers.length} layers; give one for each`;
    throw new OgcException('InvalidParameterValue', message, { locator });
  }
  return filters;
}

const cqlPart = (part: string): Filter => (part.trim() === '' ? INCLUDE : parseCql(part));

const xmlPart = (part: string): Filter => (part.trim() === '' ? INCLUDE : parseFilterXml(parseXml(part).root));

/** `(filter)(filter)`, or one filter. */
function xmlParts(text: string): string[] {
  const trimmed = text.trim();
  if (!trimmed.startsWith('(') || !trimmed.endsWith(')')) return [trimmed];
  return trimmed.slice(1, -1).split(/\)\s*\(/);
}
