import { VERSION } from '../base/index.ts';
import type { BoundingBox, CatalogView, Layer, LayerGroup } from '../catalog/index.ts';
import type { ClusterNode } from '../cluster/index.ts';
import { findCrs, transformBox } from '../crs/index.ts';

/** What the page shows, without login: nothing that a capabilities document would not tell as well. */
export interface Overview {
  /** Name of the node that answered. */
  readonly node: string;
  readonly version: string;
  readonly position: number;
  readonly nodes: readonly NodeSummary[];
  readonly layers: readonly LayerSummary[];
  /** Something that whoever runs this node should do. */
  readonly note?: string;
}

export interface NodeSummary {
  readonly name: string;
  /** Base URL with the context path. */
  readonly url: string;
  readonly role: 'both' | 'replica' | 'paused';
  /** The node writes nothing to its data directory, which another one keeps. */
  readonly readOnly: boolean;
  readonly version: string;
  /** As in `NodeReport`; of other nodes what their last heartbeat lets one conclude. */
  readonly state: string;
  /** ISO 8601: when that state began. */
  readonly since: string;
  /** Why, when it is not in step. */
  readonly reason?: string;
  readonly position: number;
  /** Records behind the head of the log. */
  readonly lag: number;
  /** How long it has not been in step. */
  readonly lagSeconds: number;
  readonly digest: string;
}

export interface LayerSummary {
  /** `workspace:name`; a global group has no prefix. */
  readonly name: string;
  readonly title: string;
  readonly workspace?: string;
  readonly type: Layer['type'];
  /** west, south, east, north in degrees; absent when unknown. */
  readonly bbox?: readonly [number, number, number, number];
}

/** Makes overviews. The list of layers is made once for each position: the page asks every second. */
export class Overviews {
  readonly #node: ClusterNode;
  readonly #note: () => string | undefined;
  #layers: { readonly position: number; readonly json: string } | undefined;

  constructor(node: ClusterNode, note: () => string | undefined) {
    this.#node = node;
    this.#note = note;
  }

  json(): string {
    const node = this.#node;
    if (this.#layers?.position !== node.position)
      this.#layers = { position: node.position, json: JSON.stringify(layersOf(node.catalog)) };
    const head: Omit<Overview, 'layers'> = {
      node: node.name,
      version: VERSION,
      position: node.position,
      nodes: nodesOf(node),
      note: this.#note(),
    };
    return `${JSON.stringify(head).slice(0, -1)},"layers":${this.#layers.json}}`;
  }
}

export function nodesOf(node: ClusterNode): NodeSummary[] {
  const own = node.status();
  const members = node.members();
  const head = Math.max(own.head, ...members.map((member) => member.position));
  return members.map((member) => {
    const lag = Math.max(0, head - member.position);
    // What it announced is up to a second old.
    const guessed = member.state === 'in-step' && lag > 0 ? 'behind' : member.state;
    const { name, url, role, readOnly, version, since, reason, position, lagSeconds, digest } = member;
    const state = name === own.name ? own.state : guessed;
    return { name, url, role, readOnly, version, state, since, reason, position, lag, lagSeconds, digest };
  });
}

/** What is published: groups first, for they show most. */
function layersOf(view: CatalogView): LayerSummary[] {
  const layers: LayerSummary[] = [];
  for (const group of view.allLayerGroups())
    if (group.enabled && group.advertised && group.mode !== 'CONTAINER') layers.push(groupSummary(group, view));
  for (const layer of view.layers()) {
    const resource = view.resourceOf(layer);
    if (resource === undefined || !resource.enabled || !resource.advertised) continue;
    const owner = view.workspaceOf(layer);
    if (!view.storeById(resource.storeId)?.enabled || owner?.isolated || isInsideOpaque(layer, view)) continue;
    const workspace = owner?.name;
    const name = view.nameOf(layer);
    layers.push({
      name: workspace === undefined ? name : `${workspace}:${name}`,
      title: resource.title ?? name,
      workspace,
      type: layer.type,
      bbox: degrees(resource.latLonBoundingBox),
    });
  }
  return layers;
}

/** An opaque container hides its layers, unless another group shows them. */
function isInsideOpaque(layer: Layer, view: CatalogView): boolean {
  const modes = [...view.groupsWith(layer.id)]
    .filter((group) => group.enabled && group.advertised)
    .map((group) => group.mode);
  return modes.includes('OPAQUE_CONTAINER') && modes.every((mode) => mode === 'OPAQUE_CONTAINER' || mode === 'SINGLE');
}

function groupSummary(group: LayerGroup, view: CatalogView): LayerSummary {
  const workspace = view.workspaceOf(group)?.name;
  return {
    name: workspace === undefined ? group.name : `${workspace}:${group.name}`,
    title: group.title ?? group.name,
    workspace,
    type: 'GROUP',
    bbox: degrees(group.bounds),
  };
}

function degrees(box: BoundingBox | undefined): LayerSummary['bbox'] {
  if (box === undefined) return undefined;
  const own = [box.minx, box.miny, box.maxx, box.maxy] as const;
  if (own.some((value) => !Number.isFinite(value)) || box.minx > box.maxx) return undefined;
  const from = findCrs(box.crs ?? 'EPSG:4326');
  const to = findCrs('EPSG:4326');
  if (from === undefined || to === undefined) return undefined;
  try {
    return transformBox(own, from, to);
  } catch {
    return undefined;
  }
}
