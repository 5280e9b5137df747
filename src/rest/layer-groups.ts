import { UserError } from '../base/index.ts';
import {
  type BoundingBox,
  type CatalogView,
  changeLayerGroup,
  createLayerGroup,
  deleteLayerGroup,
} from '../catalog/index.ts';
import { type Crs, CrsError, findCrs, transformBox } from '../crs/index.ts';
import { XmlElement } from '../xml/index.ts';
import { type Answer, el, OK } from './answers.ts';
import { boxElement } from './boxes.ts';
import type { Exchange } from './exchange.ts';
import { findLayerGroup, scopeOf } from './find.ts';
import { referenceOf, textOf, withChild, withoutLinks, withStyleIds } from './payload.ts';
import { GROUP_JSON, groupPath, presentLayerGroup, presentList } from './present.ts';
import { OBJECT_TYPES, type Route } from './routes.ts';

export const layerGroupRoutes: readonly Route[] = ['', '/workspaces/{workspace}'].flatMap(routesOf);

function routesOf(scope: string): Route[] {
  const groups = `${scope}/layergroups`;
  const group = `${groups}/{group}`;
  const find = (x: Exchange, view: CatalogView = x.view) => findLayerGroup(view, x.param('group'), x.params.workspace);
  return [
    {
      method: 'GET',
      path: groups,
      summary: scope === '' ? 'Lists the global layer groups' : 'Lists the layer groups of a workspace',
      produces: ['json', 'xml', 'html'],
      handle: (x) =>
        presentList(
          { list: 'layerGroups', item: 'layerGroup' },
          Array.from(x.view.layerGroups(scopeOf(x.view, x.params.workspace)), (found) => ({
            name: found.name,
            link: x.link(...groupPath(x.view, found)),
          })),
        ),
    },
    {
      method: 'POST',
      path: groups,
      summary: 'Makes a layer group; bounds are computed when they are absent',
      consumes: OBJECT_TYPES,
      handle: postLayerGroup,
    },
    {
      method: 'GET',
      path: group,
      summary: 'Shows a layer group',
      produces: ['json', 'xml', 'html'],
      handle: (x) => ({ kind: 'object', element: presentLayerGroup(x, find(x)), json: GROUP_JSON }),
    },
    {
      method: 'PUT',
      path: group,
      summary: 'Changes a layer group; publishables and styles go together',
      consumes: OBJECT_TYPES,
      handle: putLayerGroup,
    },
    {
      method: 'DELETE',
      path: group,
      summary: 'Removes a layer group',
      handle: async (x) => {
        await x.write({ evaluate: (draft) => deleteLayerGroup(draft, find(x, draft), x.env()) });
        return OK;
      },
    },
  ];
}

async function postLayerGroup(x: Exchange): Promise<Answer> {
  const sent = withSlots(withoutLinks(await x.readObject('layerGroup')));
  const name = textOf(sent, 'name');
  if (name === undefined) throw new UserError(400, 'name-missing', 'a layer group needs a name');
  const members = sent.child('publishables') ?? sent.child('layers');
  if (members === undefined || members.elements.length === 0)
    throw new UserError(400, 'group-empty', 'layer group must not be empty');
  const withMode = textOf(sent, 'mode') === undefined ? withChild(sent, el('mode', 'SINGLE')) : sent;
  await x.write({
    evaluate: (draft) => {
      const workspace = scopeOf(draft, x.params.workspace);
      const inBody = referenceOf(sent, 'workspace');
      if (workspace !== undefined && inBody !== undefined && inBody !== workspace.name)
        throw new UserError(
          403,
          'workspace-mismatch',
          `Expected workspace ${workspace.name} but client specified ${inBody}`,
        );
      const made = createLayerGroup(draft, workspace, withStyleIds(draft, withMode, workspace?.name), x.env());
      if (made.bounds !== undefined) return;
      const bounds = groupBounds(
        draft,
        made.publishables.flatMap((member) => (member === undefined ? [] : member.id)),
      );
      if (bounds !== undefined)
        changeLayerGroup(draft, made, el('layerGroup', [boxElement('bounds', bounds)]), x.env());
    },
  });
  return { kind: 'created', name, location: x.url('layergroups', name) };
}

async function putLayerGroup(x: Exchange): Promise<Answer> {
  const sent = withSlots(withoutLinks(await x.readObject('layerGroup')));
  await x.write({
    evaluate: (draft) => {
      const group = findLayerGroup(draft, x.param('group'), x.params.workspace);
      const name = textOf(sent, 'name');
      if (name !== undefined && name !== group.name)
        throw new UserError(403, 'rename-refused', `Can't change name of a layer group`);
      const inBody = referenceOf(sent, 'workspace');
      if (inBody !== undefined && inBody !== x.params.workspace)
        throw new UserError(403, 'workspace-mismatch', `Can't change the workspace of a layer group`);
      changeLayerGroup(draft, group, withStyleIds(draft, sent, x.params.workspace), x.env());
    },
  });
  return OK;
}

/** The text "null" stands for an empty slot: `<style/>` is a layer's default style. */
function withSlots(element: XmlElement): XmlElement {
  if (element.elements.length === 0)
    return (element.name === 'style' || element.name === 'published') && element.text.trim() === 'null'
      ? XmlElement.of(element.name)
      : element;
  return XmlElement.of(element.name, element.elements.map(withSlots), element.attributes);
}

/** Bounds of everything in a group: in the declared CRS of its first layer, or in longitude and latitude. */
function groupBounds(view: CatalogView, ids: readonly string[]): BoundingBox | undefined {
  const boxes = memberBoxes(view, ids, new Set());
  const first = boxes[0];
  if (first === undefined) return undefined;
  const crs = findCrs(first.declared ?? 'EPSG:4326');
  const inFirst = boxes.map(({ box }) => transformed(box, crs));
  const all = inFirst.every((box) => box !== undefined) ? inFirst : boxes.map(({ box }) => box);
  return all.reduce(union);
}

/** A box of longitude and latitude in another CRS; undefined where it has no place there. */
function transformed(box: BoundingBox, crs: Crs | undefined): BoundingBox | undefined {
  const from = findCrs('EPSG:4326');
  if (crs === undefined || from === undefined) return undefined;
  try {
    const moved = transformBox([box.minx, box.miny, box.maxx, box.maxy], from, crs);
    if (moved === undefined) return undefined;
    const [minx, miny, maxx, maxy] = moved;
    return { minx, miny, maxx, maxy, crs: crs.code };
  } catch (error) {
    if (error instanceof CrsError) return undefined;
    throw error;
  }
}

function union(a: BoundingBox, b: BoundingBox): BoundingBox {
  return {
    minx: Math.min(a.minx, b.minx),
    miny: Math.min(a.miny, b.miny),
    maxx: Math.max(a.maxx, b.maxx),
    maxy: Math.max(a.maxy, b.maxy),
    crs: a.crs ?? 'EPSG:4326',
  };
}

/** Longitude and latitude of each layer, also of those in nested groups. */
function memberBoxes(
  view: CatalogView,
  ids: readonly string[],
  seen: Set<string>,
): { box: BoundingBox; declared?: string }[] {
  return ids.flatMap((id) => {
    if (seen.has(id)) return [];
    seen.add(id);
    const layer = view.layerById(id);
    if (layer === undefined) {
      const group = view.byId('layerGroup', id);
      return memberBoxes(
        view,
        group?.publishables.flatMap((member) => (member === undefined ? [] : member.id)) ?? [],
        seen,
      );
    }
    const resource = view.resourceOf(layer);
    const box = resource?.latLonBoundingBox;
    return box === undefined
      ? []
      : [{ box: { ...box, crs: 'EPSG:4326' }, ...(resource?.srs === undefined ? {} : { declared: resource.srs }) }];
  });
}
