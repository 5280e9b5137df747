/** What goes, and what changes, when an object goes that others use. Nothing here asks whether it may go. */
import type { TreePath } from '../../tree/index.ts';
import { XmlElement } from '../../xml/index.ts';
import { reference } from '../codec/values.ts';
import type { Layer, LayerGroup, Style } from '../objects.ts';
import { folderOf, inFolder } from '../paths.ts';
import type { Draft, Resource } from '../view.ts';
import { editXmlFile, readXmlFile, referenceElement, setElement } from '../write.ts';
import { stamp } from './check.ts';
import type { Env } from './env.ts';

/** Deletes a layer: it leaves its groups, and its tile layer goes. In a folder that is deleted as a whole, its file is left to that. */
export function removeLayer(draft: Draft, layer: Layer, env: Env, deleted?: TreePath): void {
  leaveGroups(draft, layer, env, deleted);
  removeTileLayer(draft, layer.id);
  if (!isIn(layer.path, deleted)) draft.delete(layer.path);
}

/** Deletes a resource's folder, with its templates and all. */
export function removeResource(draft: Draft, resource: Resource): void {
  draft.delete(folderOf(resource.path) as TreePath);
}

export function removeLayerGroup(draft: Draft, group: LayerGroup, env: Env, deleted?: TreePath): void {
  leaveGroups(draft, group, env, deleted);
  removeTileLayer(draft, group.id);
  if (!isIn(group.path, deleted)) draft.delete(group.path);
}

/** Deletes a style's entry: layers get the default for their geometry instead, groups the layers' defaults. */
export function removeStyle(draft: Draft, style: Style, env: Env, deleted?: TreePath): void {
  for (const layer of [...draft.layersWithStyle(style.id)])
    if (!isIn(layer.path, deleted)) replaceStyle(draft, layer, style, env);
  for (const group of [...draft.groupsWith(style.id)])
    if (!isIn(group.path, deleted)) editXmlFile(draft, group.path, (root) => forgetStyle(root, style, env));
  if (!isIn(style.path, deleted)) draft.delete(style.path);
}

function isIn(path: TreePath, folder: TreePath | undefined): boolean {
  return folder !== undefined && path.startsWith(`${folder}/`);
}

/** The tile cache's settings of a layer or group are kept by its id. */
function removeTileLayer(draft: Draft, id: string): void {
  const path = inFolder('gwc-layers' as TreePath, `${id.replaceAll(':', '_')}.xml`);
  if (!id.includes('/') && draft.exists(path)) draft.delete(path);
}

/** Takes a layer or group out of the groups that hold it. A group that is empty then is deleted as well. */
function leaveGroups(draft: Draft, member: Layer | LayerGroup, env: Env, deleted: TreePath | undefined): void {
  for (const { id } of [...draft.groupsWith(member.id)]) {
    // As it is now: an earlier round may have emptied a group that this one held.
    const group = draft.byId('layerGroup', id);
    if (group === undefined || isIn(group.path, deleted) || id === member.id) continue;
    const rest = group.publishables.filter((other) => other?.id !== member.id);
    const isRoot = group.rootLayerId === member.id;
    if (!isRoot && rest.length === group.publishables.length) continue;
    // What is left may be style groups, which draw without a member of their own.
    const kept = group.publishables.flatMap((other, index) =>
      other?.id !== member.id && (other !== undefined || group.styleIds[index] !== undefined) ? [index] : [],
    );
    if (kept.length === 0 || isRoot) {
      removeLayerGroup(draft, group, env, deleted);
      continue;
    }
    editXmlFile(draft, group.path, (root) => {
      keepMembers(root, kept);
      for (const style of root.find('layerGroupStyles')?.elements ?? []) {
        const members = style.child('layers')?.elements ?? [];
        const others = members.flatMap((other, index) => (reference(other) === member.id ? [] : [index]));
        if (others.length < members.length) keepAt(style, ['layers', 'styles'], others);
      }
      stamp(root, env);
    });
  }
}

function keepMembers(root: XmlElement, kept: readonly number[]): void {
  keepAt(root, [root.child('publishables') === undefined ? 'layers' : 'publishables', 'styles'], kept);
}

/** Leaves only the elements at some indexes of parallel lists. */
function keepAt(parent: XmlElement, lists: readonly string[], kept: readonly number[]): void {
  for (const name of lists) {
    const list = parent.child(name);
    if (list === undefined || list.elements.length === 0) continue;
    const elements = list.elements;
    setElement(
      parent,
      XmlElement.of(
        name,
        kept.flatMap((index) => elements[index] ?? []),
        list.attributes,
      ),
    );
  }
}

/** In a group's slots an empty `<style/>` is the layer's default; slots that were style groups are dropped. */
function forgetStyle(root: XmlElement, style: Style, env: Env): void {
  const members = root.child('publishables') ?? root.child('layers');
  const styles = root.child('styles');
  if (members !== undefined && styles !== undefined) {
    const slots = styles.elements.map((slot) => (reference(slot) === style.id ? XmlElement.of('style') : slot));
    setElement(root, XmlElement.of('styles', slots));
    const kept = members.elements.flatMap((member, index) =>
      reference(member) === undefined && (slots[index] === undefined || reference(slots[index]) === undefined)
        ? []
        : [index],
    );
    if (kept.length < members.elements.length) keepMembers(root, kept);
  }
  const rootStyle = root.child('rootLayerStyle');
  if (rootStyle !== undefined && reference(rootStyle) === style.id) root.removeChildren('rootLayerStyle');
  stamp(root, env);
}

function replaceStyle(draft: Draft, layer: Layer, style: Style, env: Env): void {
  const isStyle = (ref: string | undefined) => ref !== undefined && draft.styleById(ref)?.id === style.id;
  const resource = draft.resourceOf(layer);
  const substitute =
    isStyle(layer.defaultStyleId) && resource ? defaultStyleOf(draft, resource, undefined, style) : undefined;
  editXmlFile(draft, layer.path, (root) => {
    if (isStyle(layer.defaultStyleId)) {
      if (substitute === undefined) root.removeChildren('defaultStyle');
      else setElement(root, referenceElement('defaultStyle', substitute.id));
    }
    const styles = root.child('styles');
    const others = styles?.elements.filter((other) => !isStyle(reference(other)));
    if (styles !== undefined && others!.length < styles.elements.length)
      setElement(root, XmlElement.of('styles', others, styles.attributes));
    stamp(root, env);
  });
}

/**
 * The style that a resource gets when nobody chose one: by the kind of its geometry, `raster` for coverages.
 *
 * @param geometry  `MultiPolygon`, or a Java class name; absent: as the resource's file says
 * @param except    a style about to be deleted
 */
export function defaultStyleOf(draft: Draft, resource: Resource, geometry?: string, except?: Style): Style | undefined {
  if (resource.kind === 'wmsLayer' || resource.kind === 'wmtsLayer') return undefined;
  const name = resource.kind === 'coverage' ? 'raster' : styleNameFor(geometry ?? geometryOf(draft, resource));
  for (const candidate of [name, 'generic', 'point']) {
    const style = draft.style(candidate);
    if (style !== undefined && style.id !== except?.id) return style;
  }
  return undefined;
}

function styleNameFor(geometry: string | undefined): string {
  const type = geometry?.slice(geometry.lastIndexOf('.') + 1).toLowerCase() ?? '';
  if (type.includes('point')) return 'point';
  if (type.includes('line') || type.includes('curve')) return 'line';
  if (type.includes('polygon') || type.includes('surface')) return 'polygon';
  return 'generic';
}

const GEOMETRY_CLASS = /^(?:org\.locationtech|com\.vividsolutions)\.jts\.geom\./;

function geometryOf(draft: Draft, resource: Resource): string | undefined {
  if (resource.kind !== 'featureType') return undefined;
  const view = resource.virtualTable?.geometries[0]?.type;
  if (view !== undefined) return view;
  const attributes = readXmlFile(draft, resource.path).child('attributes')?.elements ?? [];
  return attributes
    .map((attribute) => attribute.childText('binding') ?? '')
    .find((binding) => GEOMETRY_CLASS.test(binding));
}
