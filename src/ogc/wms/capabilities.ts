/** What a capabilities document says, without regard to version; the writers only write. */
import type {
  BoundingBox,
  CatalogView,
  Contact,
  Layer,
  LayerGroup,
  Resource,
  ServiceSettings,
  Style,
} from '../../catalog/index.ts';
import { type Box, type Crs, CrsError, findCrs, identifyWkt, transformBox } from '../../crs/index.ts';
import { findPublished, publicName, type ServiceScope } from '../common/service-scope.ts';
import { styleTitle } from './styles.ts';

export interface CapabilitiesModel {
  readonly service: ServiceSettings | undefined;
  readonly contact: Contact;
  /** URL of the operations, ending in `?`. */
  readonly url: string;
  readonly updateSequence: number;
  readonly root: RootLayer;
}

export interface RootLayer {
  readonly title: string;
  readonly abstract: string | undefined;
  /** Offered for every layer. */
  readonly crs: readonly Crs[];
}

/** A layer or group as it is written; `children` are written apart, so that each is made once. */
export interface LayerEntry {
  /** Absent for a group that is only a heading. */
  readonly name?: string;
  readonly title: string;
  readonly abstract?: string;
  readonly keywords: readonly string[];
  /** Offered besides those of the root. */
  readonly crs: readonly Crs[];
  /** Longitude first. */
  readonly geographic: Box;
  /** In the layer's own CRS, x first. */
  readonly boxes: readonly { readonly crs: Crs; readonly box: Box }[];
  readonly opaque: boolean;
  readonly attribution?: Layer['attribution'];
  readonly authorityUrls: Layer['authorityUrls'];
  readonly identifiers: Layer['identifiers'];
  readonly metadataLinks: Resource['metadataLinks'];
  readonly styles: readonly StyleEntry[];
}

export interface StyleEntry {
  readonly name: string;
  readonly title: string;
}

/** The tree of a document: what is listed where. */
export type Node = LayerNode | GroupNode;

export interface LayerNode {
  readonly kind: 'layer';
  readonly layer: Layer;
  readonly resource: Resource;
}

export interface GroupNode {
  readonly kind: 'group';
  readonly group: LayerGroup;
  readonly children: readonly Node[];
}

/** Something that is not listed, and why; for the log. */
export interface Skipped {
  readonly name: string;
  readonly problem: string;
}

const GEOGRAPHIC = findCrs('CRS:84')!;
const WORLD: Box = [-180, -90, 180, 90];

/** Offered for every layer where the service's settings name none: GeoServer then lists all 6,000 of EPSG, which nobody reads. */
const USUAL_CRS = ['EPSG:4326', 'EPSG:3857', 'EPSG:900913', 'CRS:84'];

/** CRS offered for every layer. */
export function commonCrs(service: ServiceSettings | undefined): readonly Crs[] {
  const names = service === undefined || service.srs.length === 0 ? USUAL_CRS : [...service.srs, 'CRS:84'];
  const found = names.map((name) => findCrs(/^\d+$/.test(name.trim()) ? `EPSG:${name.trim()}` : name));
  return [...new Set(found.filter((crs) => crs !== undefined))];
}

/**
 * Which layers and groups a document lists, and how they nest: a group in mode SINGLE beside its layers, the layers of the
 * other modes inside their group and nowhere else; those of an opaque container not at all.
 *
 * @param namespace  prefix of the only workspace to list
 */
export function listed(
  view: CatalogView,
  scope: ServiceScope,
  namespace: string | undefined,
): { nodes: Node[]; skipped: Skipped[] } {
  const skipped: Skipped[] = [];
  if (namespace !== undefined && view.workspace(namespace) === undefined) return { nodes: [], skipped };
  const groups = [...groupsOf(view, scope)].filter(({ enabled, advertised }) => enabled && advertised);
  const inside = new Set(groups.filter(({ mode }) => mode !== 'SINGLE').flatMap((group) => [...membersOf(group)]));
  const isWanted = (object: Layer | LayerGroup) =>
    namespace === undefined || view.workspaceOf(object)?.name === namespace;
  const nodes: Node[] = [];
  const reached = new Set<string>();
  const reach = (group: LayerGroup | undefined) => {
    if (group === undefined || reached.has(group.id)) return;
    reached.add(group.id);
    for (const id of membersOf(group)) reach(view.byId('layerGroup', id));
  };
  // The second half is for groups that hold each other in a circle: one of them has to be the outermost.
  const outermostFirst = [...groups.filter(({ id }) => !inside.has(id)), ...groups.filter(({ id }) => inside.has(id))];
  for (const group of outermostFirst) {
    if (inside.has(group.id) && reached.has(group.id)) continue;
    reach(group);
    if (!isWanted(group)) continue;
    const node = groupNode(view, group, skipped, new Set());
    if (hasName(group) || node.children.length > 0) nodes.push(node);
  }
  for (const layer of layersOf(view, scope)) {
    if (inside.has(layer.id)) continue;
    const node = layerNode(view, layer, skipped);
    if (node === undefined) continue;
    if (!isWanted(layer)) continue;
    if (scope.workspace === undefined && view.workspaceOf(layer)?.isolated === true) continue;
    nodes.push(node);
  }
  return { nodes, skipped };
}

function layersOf(view: CatalogView, scope: ServiceScope): Iterable<Layer> {
  if (scope.layer === undefined) return view.layers(scope.workspace);
  const only = findPublished(view, scope, scope.layer);
  return only?.kind === 'layer' ? [only] : [];
}

function* groupsOf(view: CatalogView, scope: ServiceScope): Iterable<LayerGroup> {
  if (scope.layer !== undefined) {
    const only = findPublished(view, scope, scope.layer);
    if (only?.kind === 'layerGroup') yield only;
  } else if (scope.workspace !== undefined) yield* view.layerGroups(scope.workspace);
  else for (const group of view.allLayerGroups()) if (view.workspaceOf(group)?.isolated !== true) yield group;
}

/** Ids of the layers and groups directly in a group. */
function* membersOf(group: LayerGroup): Iterable<string> {
  for (const member of group.publishables) if (member !== undefined) yield member.id;
  if (group.mode === 'EO' && group.rootLayerId !== undefined) yield group.rootLayerId;
}

/** Whether a group can be asked for by name. */
function hasName(group: LayerGroup): boolean {
  return group.mode !== 'CONTAINER';
}

function groupNode(view: CatalogView, group: LayerGroup, skipped: Skipped[], above: ReadonlySet<string>): GroupNode {
  const flat = group.mode === 'SINGLE' || group.mode === 'OPAQUE_CONTAINER';
  const children: Node[] = [];
  const path = new Set(above).add(group.id);
  if (!flat)
    for (const member of group.publishables) {
      if (member === undefined) continue;
      if (member.type === 'layer') {
        const layer = view.layerById(member.id);
        const node = layer && layerNode(view, layer, skipped);
        if (node !== undefined) children.push(node);
      } else {
        const inner = view.byId('layerGroup', member.id);
        // A group that holds itself would never end.
        if (inner?.enabled && !path.has(inner.id)) children.push(groupNode(view, inner, skipped, path));
      }
    }
  return { kind: 'group', group, children };
}

function layerNode(view: CatalogView, layer: Layer, skipped: Skipped[]): LayerNode | undefined {
  const skip = (problem: string): undefined => {
    skipped.push({ name: view.nameOf(layer), problem });
    return undefined;
  };
  const resource = view.resourceOf(layer);
  if (resource === undefined) return skip(`its resource ${layer.resourceId} is not there`);
  if (!resource.enabled || !resource.advertised) return undefined;
  // Cascaded layers are kept, but not drawn.
  if (resource.kind === 'wmsLayer' || resource.kind === 'wmtsLayer') return undefined;
  const store = view.storeById(resource.storeId);
  if (store === undefined) return skip(`its store ${resource.storeId} is not there`);
  if (!store.enabled) return undefined;
  if (view.workspaceOf(layer) === undefined) return skip(`its namespace ${resource.namespaceId} is not there`);
  return { kind: 'layer', layer, resource };
}

/** What is written of a layer. */
export function layerEntry(view: CatalogView, scope: ServiceScope, layer: Layer, resource: Resource): LayerEntry {
  const own = resourceCrs(resource);
  const native = own && boxIn(resource.nativeBoundingBox, own, resource.srs);
  const geographic =
    asBox(resource.latLonBoundingBox) ?? (own && native && tryTransform(native, own, GEOGRAPHIC)) ?? WORLD;
  return {
    name: publicName(scope, resource.name, view.workspaceOf(layer)),
    title: resource.title ?? resource.name,
    abstract: resource.abstract,
    keywords: resource.keywords,
    crs: own === undefined ? [] : [own],
    geographic,
    boxes: own !== undefined && native !== undefined ? [{ crs: own, box: native }] : [],
    opaque: layer.opaque,
    attribution: layer.attribution,
    authorityUrls: layer.authorityUrls,
    identifiers: layer.identifiers,
    metadataLinks: resource.metadataLinks,
    styles: stylesOf(view, scope, layer),
  };
}

/** What is written of a group. */
export function groupEntry(view: CatalogView, scope: ServiceScope, group: LayerGroup): LayerEntry {
  const crs = crsOf(group.bounds?.crs) ?? (group.bounds && findCrs('EPSG:4326'));
  const box = asBox(group.bounds);
  const geographic = (crs && box && tryTransform(box, crs, GEOGRAPHIC)) ?? WORLD;
  return {
    ...(hasName(group) && { name: publicName(scope, group.name, view.workspaceOf(group)) }),
    title: group.title ?? group.name,
    abstract: group.abstract,
    keywords: group.keywords,
    crs: crs === undefined ? [] : [crs],
    geographic,
    boxes: crs !== undefined && box !== undefined ? [{ crs, box }] : [],
    opaque: false,
    authorityUrls: [],
    identifiers: [],
    metadataLinks: [],
    styles: [],
  };
}

function stylesOf(view: CatalogView, scope: ServiceScope, layer: Layer): StyleEntry[] {
  const ids = new Set(layer.defaultStyleId === undefined ? layer.styleIds : [layer.defaultStyleId, ...layer.styleIds]);
  const entries: StyleEntry[] = [];
  for (const id of ids) {
    const style = view.styleById(id);
    if (style !== undefined) entries.push(styleEntry(view, scope, style));
  }
  return entries;
}

function styleEntry(view: CatalogView, scope: ServiceScope, style: Style): StyleEntry {
  const workspace = style.workspaceId === undefined ? undefined : view.byId('workspace', style.workspaceId);
  const name = publicName(scope, style.name, workspace);
  return { name, title: styleTitle(view, style) ?? name };
}

// ---- CRS and boxes

/** The CRS that a resource is served in: the declared one, or its own where nothing is declared or the declaration is to be ignored. */
export function resourceCrs(resource: Resource): Crs | undefined {
  const declared = crsOf(resource.srs);
  return resource.projectionPolicy === 'NONE'
    ? (crsOf(resource.nativeCrs) ?? declared)
    : (declared ?? crsOf(resource.nativeCrs));
}

/** A CRS by its name, or by WKT. */
export function crsOf(nameOrWkt: string | undefined): Crs | undefined {
  if (nameOrWkt === undefined) return undefined;
  const found = findCrs(nameOrWkt);
  if (found !== undefined || !nameOrWkt.includes('[')) return found;
  const code = identifyWkt(nameOrWkt);
  return code === undefined ? undefined : findCrs(code);
}

/** A resource's box in the CRS it is served in. A box that names no CRS is in the declared one. */
function boxIn(bounds: BoundingBox | undefined, target: Crs, declared: string | undefined): Box | undefined {
  const box = asBox(bounds);
  if (box === undefined) return undefined;
  const from = crsOf(bounds?.crs) ?? crsOf(declared) ?? target;
  return from.code === target.code ? box : tryTransform(box, from, target);
}

function tryTransform(box: Box, from: Crs, to: Crs): Box | undefined {
  try {
    return transformBox(box, from, to);
  } catch (error) {
    if (error instanceof CrsError) return undefined;
    throw error;
  }
}

/** undefined for boxes of nothing: GeoServer writes 0,0,-1,-1 for an empty layer. */
function asBox(bounds: BoundingBox | undefined): Box | undefined {
  if (bounds === undefined) return undefined;
  const box: Box = [bounds.minx, bounds.miny, bounds.maxx, bounds.maxy];
  return box.every(Number.isFinite) && box[0] <= box[2] && box[1] <= box[3] ? box : undefined;
}
