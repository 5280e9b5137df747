import type { XmlElement } from '../../xml/index.ts';
import type { Layer, Style } from '../objects.ts';
import type { Draft, Resource } from '../view.ts';
import type { Env } from './env.ts';

/** Publishes a resource. Without a style: the default one for the kind of geometry (a Java class name or `Point`, `MultiPolygon`, ...). */
export function createLayer(
  _draft: Draft,
  _resource: Resource,
  _options: { defaultStyle?: Style; geometry?: string },
  _env: Env,
): Layer {
  throw new Error('not written yet');
}

/** Lays the given elements over the stored ones; never changes the resource, but `enabled` and `advertised` go there. */
export function changeLayer(_draft: Draft, _layer: Layer, _patch: XmlElement, _env: Env): Layer {
  throw new Error('not written yet');
}

/** Adds an existing style to a layer, or makes it the default. */
export function addStyleToLayer(
  _draft: Draft,
  _layer: Layer,
  _style: Style,
  _options: { makeDefault: boolean },
  _env: Env,
): Layer {
  throw new Error('not written yet');
}

/** With `recurse` the layer leaves its groups, groups that become empty are removed, and its resource goes too. */
export function deleteLayer(_draft: Draft, _layer: Layer, _options: { recurse: boolean }, _env: Env): void {
  throw new Error('not written yet');
}
