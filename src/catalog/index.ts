export { complexValue, mapElement, readMap, removeMapValue, setMapValue } from './brief-map.ts';
export { Catalog } from './catalog.ts';
export { CodecError, readObject } from './codec/index.ts';
export { draftOf } from './draft.ts';
export * from './objects.ts';
export * from './operations/index.ts';
export { kindOfPath } from './paths.ts';
export type { CatalogView, Draft, Resource, Store } from './view.ts';
