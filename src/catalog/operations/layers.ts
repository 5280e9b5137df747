import { UserError } from '../../base/index.ts';
import { XmlElement } from '../../xml/index.ts';
import { reference } from '../codec/values.ts';
import type { Layer, Style } from '../objects.ts';
import { folderOf, inFolder } from '../paths.ts';
import type { Draft, Resource } from '../view.ts';
import { editXmlFile, formatDate, newId, putXmlFile, referenceElement, setElement, setText } from '../write.ts';
import { defaultStyleOf, removeLayer, removeResource } from './cascade.ts';
import { isNull, stamp, written } from './check.ts';
import type { Env } from './env.ts';
import { overlay } from './overlay.ts';

const typeOf: Readonly<Record<Resource['kind'], Layer['type']>> = {
  featureType: 'VECTOR',
  coverage: 'RASTER',
  wmsLayer: 'WMS',
  wmtsLayer: 'WMTS',
};

/**
 * Publishes a resource. Without a style it gets the default one for its kind of geometry.
 *
 * @param options.geometry  a Java class name, or `Point`, `MultiPolygon`, ...; absent: as the resource's attributes say
 * @throws UserError  500, as GeoServer's, when it is published already
 */
export function createLayer(
  draft: Draft,
  resource: Resource,
  options: { defaultStyle?: Style; geometry?: string },
  env: Env,
): Layer {
  for (const _ of draft.layersOf(resource))
    throw new UserError(500, 'layer-exists', `Layer named '${resource.name}' already exists.`);
  const style = options.defaultStyle ?? defaultStyleOf(draft, resource, options.geometry);
  const path = inFolder(folderOf(resource.path), 'layer.xml');
  putXmlFile(
    draft,
    path,
    XmlElement.of('layer', [
      XmlElement.of('name', resource.name),
      XmlElement.of('id', newId('layer', env.random)),
      XmlElement.of('type', typeOf[resource.kind]),
      ...(style === undefined ? [] : [referenceElement('defaultStyle', style.id)]),
      referenceElement('resource', resource.id, { class: resource.kind }),
      XmlElement.of('attribution', [XmlElement.of('logoWidth', '0'), XmlElement.of('logoHeight', '0')]),
      XmlElement.of('dateCreated', formatDate(env.now)),
    ]),
  );
  return written<Layer>(draft, path);
}

/**
 * Lays the given elements over the stored ones. The resource, and with it name and type, never changes; `enabled` and
 * `advertised` are the resource's and go to its file.
 *
 * @throws UserError  400 when a style is not there
 */
export function changeLayer(draft: Draft, layer: Layer, patch: XmlElement, env: Env): Layer {
  const resource = draft.resourceOf(layer);
  const fixed = () => undefined;
  editXmlFile(draft, layer.path, (root) => {
    const before = root.toString();
    overlay(root, patch, {
      name: fixed,
      type: fixed,
      resource: fixed,
      defaultStyle: (element) => referenceElement('defaultStyle', styleFor(draft, layer, element).id),
      styles: (element) =>
        XmlElement.of(
          'styles',
          element.elements.map((style) => referenceElement('style', styleFor(draft, layer, style).id)),
          { class: 'linked-hash-set' },
        ),
    });
    if (root.toString() !== before) stamp(root, env);
  });
  if (resource !== undefined)
    editXmlFile(draft, resource.path, (root) => {
      for (const flag of ['enabled', 'advertised']) {
        const sent = patch.child(flag);
        if (sent !== undefined && !isNull(sent) && sent.text.trim() !== '')
          setText(root, flag, String(sent.text.trim().toLowerCase() === 'true'));
      }
    });
  return written<Layer>(draft, layer.path);
}

/** Adds an existing style to a layer, or makes it the default. */
export function addStyleToLayer(
  draft: Draft,
  layer: Layer,
  style: Style,
  options: { makeDefault: boolean },
  env: Env,
): Layer {
  if (options.makeDefault ? layer.defaultStyleId === style.id : layer.styleIds.includes(style.id)) return layer;
  editXmlFile(draft, layer.path, (root) => {
    if (options.makeDefault) setElement(root, referenceElement('defaultStyle', style.id));
    else {
      const styles = root.child('styles')?.elements ?? [];
      const all = [...styles, referenceElement('style', style.id)];
      setElement(root, XmlElement.of('styles', all, root.child('styles')?.attributes ?? { class: 'linked-hash-set' }));
    }
    stamp(root, env);
  });
  return written<Layer>(draft, layer.path);
}

/**
 * Deletes a layer; its resource stays. With `recurse` the layer leaves its groups, groups that become empty are deleted, and
 * the resource goes unless another layer publishes it.
 *
 * @throws UserError  500, as GeoServer's, when a group holds it and `recurse` is not set
 */
export function deleteLayer(draft: Draft, layer: Layer, options: { recurse: boolean }, env: Env): void {
  if (!options.recurse)
    for (const group of draft.groupsWith(layer.id))
      throw new UserError(500, 'layer-in-use', `Unable to delete layer referenced by layer group '${group.name}'`);
  const resource = draft.resourceOf(layer);
  removeLayer(draft, layer, env);
  if (!options.recurse || resource === undefined) return;
  for (const _ of draft.layersOf(resource)) return;
  removeResource(draft, resource);
}

/** A style as a client refers to it: by id, `workspace:name`, or name in the layer's workspace, then among the global ones. */
function styleFor(draft: Draft, layer: Layer, element: XmlElement): Style {
  const ref = reference(element) ?? '';
  const workspace = draft.workspaceOf(layer);
  const style = draft.byId('style', ref) ?? (workspace && draft.style(ref, workspace)) ?? draft.styleById(ref);
  if (style === undefined) throw new UserError(400, 'style-not-found', `No such style: ${ref}`);
  return style;
}
