import { UserError } from '../../base/index.ts';
import { XmlElement } from '../../xml/index.ts';
import { reference } from '../codec/values.ts';
import type { LayerGroup, Publishable, Workspace } from '../objects.ts';
import { layerGroupsFolder } from '../paths.ts';
import type { Draft } from '../view.ts';
import { editXmlFile, formatDate, newId, putXmlFile, readXmlFile, referenceElement } from '../write.ts';
import { removeLayerGroup } from './cascade.ts';
import { checkName, freeFile, nameIn, referenceIn, stamp, written } from './check.ts';
import type { Env } from './env.ts';
import { bodyOf, overlay, type Rewrite } from './overlay.ts';
import { inOrder } from './stores.ts';

/**
 * Makes a group from its XML: `publishables`, or `layers` as in old files; members and styles by id or name, an empty one being
 * a slot; without `styles` every member has its default. Bounds are the caller's business.
 *
 * @throws UserError  500, as GeoServer's, when the name is taken; 400 when it is empty, holds itself, what is not there, or what
 *   belongs to another workspace
 */
export function createLayerGroup(
  draft: Draft,
  workspace: Workspace | undefined,
  element: XmlElement,
  env: Env,
): LayerGroup {
  const name = nameIn(element);
  checkName('layer group', name);
  checkWorkspace(draft, workspace, element);
  if (draft.layerGroup(name, workspace) !== undefined) {
    const where = workspace === undefined ? '' : ` in workspace '${workspace.name}'`;
    throw new UserError(500, 'layer-group-exists', `Layer group named '${name}' already exists${where}`);
  }
  const sent = withPublishables(element);
  const children = bodyOf(sent, rewriteFor(draft, workspace));
  const members = children.find((child) => child.name === 'publishables')?.elements ?? [];
  if (members.length === 0) throw new UserError(400, 'layer-group-empty', 'layer group must not be empty');
  const has = (child: string) => children.some((other) => other.name === child);
  children.push(
    XmlElement.of('id', newId('layerGroup', env.random)),
    XmlElement.of('dateCreated', formatDate(env.now)),
  );
  if (!has('mode')) children.push(XmlElement.of('mode', 'SINGLE'));
  if (!has('styles')) children.push(allDefaults(members.length));
  if (workspace !== undefined) children.push(referenceElement('workspace', workspace.id));
  const path = freeFile(draft, layerGroupsFolder(workspace?.path), name);
  putXmlFile(draft, path, inOrder('layerGroup', children));
  const group = written<LayerGroup>(draft, path);
  validate(draft, group, workspace, countStyles(children));
  return group;
}

/**
 * Lays the given elements over the stored ones.
 * @throws UserError  403 when name or workspace differ; 500, as GeoServer's, when there are not as many styles as members; 400
 */
export function changeLayerGroup(draft: Draft, group: LayerGroup, patch: XmlElement, env: Env): LayerGroup {
  const name = nameIn(patch);
  if (name !== undefined && name !== group.name)
    throw new UserError(403, 'rename-refused', "Can't change name of a layer group");
  const workspace = draft.workspaceOf(group);
  checkWorkspace(draft, workspace, patch);
  const sent = withPublishables(patch);
  let styles = 0;
  editXmlFile(draft, group.path, (root) => {
    const before = root.toString();
    overlay(root, sent, rewriteFor(draft, workspace));
    if (sent.child('publishables') !== undefined) root.removeChildren('layers');
    styles = countStyles(root.elements);
    if (root.toString() !== before) stamp(root, env);
  });
  const changed = written<LayerGroup>(draft, group.path);
  if (changed.publishables.length === 0) throw new UserError(500, 'layer-group-empty', 'Layer group must not be empty');
  validate(draft, changed, workspace, styles);
  return changed;
}

/** @throws UserError  500, as GeoServer's, when another group holds it */
export function deleteLayerGroup(draft: Draft, group: LayerGroup, env: Env): void {
  for (const other of draft.groupsWith(group.id))
    if (other.id !== group.id)
      throw new UserError(
        500,
        'layer-group-in-use',
        `Unable to delete layer group referenced by layer group '${other.name}'`,
      );
  removeLayerGroup(draft, group, env);
}

function checkWorkspace(draft: Draft, workspace: Workspace | undefined, element: XmlElement): void {
  const ref = referenceIn(element, 'workspace');
  if (ref === undefined || ref === workspace?.id || ref === workspace?.name) return;
  const other = draft.byId('workspace', ref)?.name ?? ref;
  throw new UserError(
    403,
    'workspace-mismatch',
    `Expected workspace ${workspace?.name ?? '(none)'} but client specified ${other}`,
  );
}

/** `<layers>` as `<publishables>`. */
function withPublishables(element: XmlElement): XmlElement {
  const layers = element.child('layers');
  if (layers === undefined || element.child('publishables') !== undefined) return element;
  const members = layers.elements.map((layer) =>
    XmlElement.of('published', layer.children, { type: layer.name === 'layerGroup' ? 'layerGroup' : 'layer' }),
  );
  const others = element.elements.filter((child) => child !== layers);
  return XmlElement.of(element.name, [...others, XmlElement.of('publishables', members)], element.attributes);
}

function allDefaults(count: number): XmlElement {
  return XmlElement.of(
    'styles',
    Array.from({ length: count }, () => XmlElement.of('style')),
  );
}

function countStyles(children: readonly XmlElement[]): number {
  return children.find((child) => child.name === 'styles')?.elements.length ?? 0;
}

function rewriteFor(draft: Draft, workspace: Workspace | undefined): Rewrite {
  const member = (element: XmlElement) => memberElement(draft, workspace, element);
  const style = (element: XmlElement) => styleElement(draft, workspace, element, element.name);
  const list = (name: string, item: (element: XmlElement) => XmlElement) => (element: XmlElement) =>
    XmlElement.of(name, element.elements.map(item));
  const publishables = list('publishables', member);
  const styles = list('styles', style);
  return {
    workspace: () => undefined,
    publishables,
    styles,
    rootLayer: (element) => {
      const found = findMember(draft, workspace, 'layer', reference(element) ?? '');
      return referenceElement('rootLayer', found.id);
    },
    rootLayerStyle: style,
    layerGroupStyles: list('layerGroupStyles', (groupStyle) =>
      XmlElement.of(
        groupStyle.name,
        groupStyle.elements.map((child) => {
          if (child.name === 'layers') return XmlElement.of('layers', child.elements.map(member));
          return child.name === 'styles' ? styles(child) : child;
        }),
      ),
    ),
  };
}

function memberElement(draft: Draft, workspace: Workspace | undefined, element: XmlElement): XmlElement {
  const ref = reference(element);
  if (ref === undefined) return XmlElement.of('published');
  const member = findMember(draft, workspace, element.attribute('type') === 'layerGroup' ? 'layerGroup' : 'layer', ref);
  return referenceElement('published', member.id, { type: member.type });
}

function findMember(
  draft: Draft,
  workspace: Workspace | undefined,
  type: Publishable['type'],
  ref: string,
): Publishable {
  const layer = () => draft.byId('layer', ref) ?? (workspace && draft.layer(ref, workspace)) ?? draft.layer(ref);
  const group = () => {
    const colon = ref.indexOf(':');
    const named = colon > 0 ? draft.workspace(ref.slice(0, colon)) : undefined;
    return (
      draft.byId('layerGroup', ref) ??
      (named && draft.layerGroup(ref.slice(colon + 1), named)) ??
      (workspace && draft.layerGroup(ref, workspace)) ??
      draft.layerGroup(ref)
    );
  };
  // Clients leave out the type, or name a group among `layers`.
  const found = type === 'layer' ? (layer() ?? group()) : (group() ?? layer());
  if (found === undefined)
    throw new UserError(
      400,
      `${type === 'layer' ? 'layer' : 'layer-group'}-not-found`,
      `No such ${type === 'layer' ? 'layer' : 'layer group'}: ${ref}`,
    );
  return { type: found.kind, id: found.id };
}

/** An empty slot stays; a name that is no style may be one of a nested group's own styles. */
function styleElement(draft: Draft, workspace: Workspace | undefined, element: XmlElement, name: string): XmlElement {
  const ref = reference(element);
  if (ref === undefined) return XmlElement.of(name);
  const style = draft.byId('style', ref) ?? (workspace && draft.style(ref, workspace)) ?? draft.styleById(ref);
  if (style !== undefined) return referenceElement(name, style.id);
  for (const group of draft.allLayerGroups())
    if (hasStyleNamed(draft, group, ref)) return XmlElement.of(name, [XmlElement.of('name', ref)]);
  throw new UserError(400, 'style-not-found', `No such style: ${ref}`);
}

function hasStyleNamed(draft: Draft, group: LayerGroup, name: string): boolean {
  const styles = readXmlFile(draft, group.path).child('layerGroupStyles')?.elements ?? [];
  return styles.some((style) => style.childText('name') === name);
}

function validate(draft: Draft, group: LayerGroup, workspace: Workspace | undefined, styles: number): void {
  const refuse = (code: string, reason: string): never => {
    throw new UserError(400, code, `layer group '${group.name}' ${reason}`);
  };
  if (styles !== 0 && styles !== group.publishables.length)
    throw new UserError(500, 'styles-mismatch', 'Layer group has different number of styles than layers');
  group.publishables.forEach((member, index) => {
    if (member === undefined && group.styleIds[index] === undefined)
      refuse('bad-member', `has neither a layer, a group nor a style at place ${index + 1}: leave that out`);
  });
  const hasRoot = group.rootLayerId !== undefined && group.rootLayerStyleId !== undefined;
  if (group.mode === 'EO' && !hasRoot) refuse('root-layer-missing', 'needs a root layer and its style in mode EO');
  if (group.mode !== 'EO' && (group.rootLayerId !== undefined || group.rootLayerStyleId !== undefined))
    refuse('root-layer-unexpected', 'has a root layer, which only mode EO takes');
  if (reaches(draft, group, group.id, new Set())) refuse('layer-group-loop', 'would contain itself');
  if (workspace !== undefined) checkScope(draft, group, workspace);
}

function reaches(draft: Draft, group: LayerGroup, id: string, seen: Set<string>): boolean {
  for (const member of group.publishables) {
    if (member?.type !== 'layerGroup' || seen.has(member.id)) continue;
    if (member.id === id) return true;
    seen.add(member.id);
    const nested = draft.byId('layerGroup', member.id);
    if (nested !== undefined && reaches(draft, nested, id, seen)) return true;
  }
  return false;
}

/** A group of a workspace holds only what is of that workspace, or global styles. */
function checkScope(draft: Draft, group: LayerGroup, workspace: Workspace): void {
  const foreign = (what: string, other: string | undefined): never => {
    throw new UserError(
      400,
      'workspace-mismatch',
      `Layer group within a workspace (${workspace.name}) can not contain a ${what} from other workspace: ${other ?? '(none)'}`,
    );
  };
  for (const member of group.publishables) {
    if (member === undefined) continue;
    const object = draft.byId(member.type, member.id);
    if (object === undefined) continue;
    const owner = draft.workspaceOf(object);
    if (owner?.id !== workspace.id) foreign(member.type === 'layer' ? 'layer' : 'layer group', owner?.name);
  }
  for (const id of group.styleIds) {
    const style = id === undefined ? undefined : draft.byId('style', id);
    const owner = style && draft.workspaceOf(style);
    if (owner !== undefined && owner.id !== workspace.id) foreign('style', owner.name);
  }
}
