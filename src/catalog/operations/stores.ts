import type { XmlElement } from '../../xml/index.ts';
import type { Workspace } from '../objects.ts';
import type { Draft, Store } from '../view.ts';
import type { Env } from './env.ts';

/** Makes a store from its XML (`<dataStore>`, `<coverageStore>`, `<wmsStore>`, `<wmtsStore>`); ids and references by name are worked out here. Does not force `enabled`: the caller sets it in the element. */
export function createStore(_draft: Draft, _workspace: Workspace, _element: XmlElement, _env: Env): Store {
  throw new Error('not written yet');
}

/** Lays the given elements over the stored ones; a new name moves the folder. */
export function changeStore(_draft: Draft, _store: Store, _patch: XmlElement, _env: Env): Store {
  throw new Error('not written yet');
}

/** 403 (data stores) or 401 (others) when it is not empty and `recurse` is not set. */
export function deleteStore(_draft: Draft, _store: Store, _options: { recurse: boolean }, _env: Env): void {
  throw new Error('not written yet');
}
