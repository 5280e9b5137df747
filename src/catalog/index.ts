export { Catalog, type FileContents, readContents } from './catalog.ts';
export { draftOf } from './draft.ts';
export * from './objects.ts';
export * from './operations/index.ts';
export { unpackObjects } from './pack.ts';
export { type FileKind, kindOfPath } from './paths.ts';
export type { CatalogView, Draft, Resource, Store } from './view.ts';
