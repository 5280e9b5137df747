import type { XmlElement } from '../../xml/index.ts';
import type { LayerGroup, Workspace } from '../objects.ts';
import type { Draft } from '../view.ts';
import type { Env } from './env.ts';

/** Makes a group from its XML; `layers` or `publishables`, references by name or id. Bounds are the caller's business. */
export function createLayerGroup(
  _draft: Draft,
  _workspace: Workspace | undefined,
  _element: XmlElement,
  _env: Env,
): LayerGroup {
  throw new Error('not written yet');
}

export function changeLayerGroup(_draft: Draft, _group: LayerGroup, _patch: XmlElement, _env: Env): LayerGroup {
  throw new Error('not written yet');
}

/** Also takes it out of the groups that hold it. */
export function deleteLayerGroup(_draft: Draft, _group: LayerGroup, _env: Env): void {
  throw new Error('not written yet');
}
