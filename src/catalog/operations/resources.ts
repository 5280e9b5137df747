import type { XmlElement } from '../../xml/index.ts';
import type { Draft, Resource, Store } from '../view.ts';
import type { Env } from './env.ts';

/** Makes a resource from its XML (`<featureType>`, `<coverage>`, ...), without a layer. Namespace and store references are filled in. */
export function createResource(_draft: Draft, _store: Store, _element: XmlElement, _env: Env): Resource {
  throw new Error('not written yet');
}

/** Lays the given elements over the stored ones; a new name moves the folder, and renames the layer with it. */
export function changeResource(_draft: Draft, _resource: Resource, _patch: XmlElement, _env: Env): Resource {
  throw new Error('not written yet');
}

/** 403 when layers publish it and `recurse` is not set. */
export function deleteResource(_draft: Draft, _resource: Resource, _options: { recurse: boolean }, _env: Env): void {
  throw new Error('not written yet');
}
