export { complexValue, mapElement, readMap, removeMapValue, setMapValue } from './brief-map.ts';
export { Catalog, type FileContents, readContents } from './catalog.ts';
export { CodecError, readObject } from './codec/index.ts';
export { draftOf } from './draft.ts';
export * from './objects.ts';
export * from './operations/index.ts';
export { unpackObjects } from './pack.ts';
export { type FileKind, kindOfPath } from './paths.ts';
export { ELEMENT_ORDER, orderOf } from './schema.ts';
export type { CatalogView, Draft, Resource, Store } from './view.ts';
export {
  boundingBoxElement,
  editXmlFile,
  formatDate,
  formatDouble,
  newId,
  putXmlFile,
  readXmlFile,
  referenceElement,
  sameContent,
  setElement,
  setText,
} from './write.ts';
