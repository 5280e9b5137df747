export * from './objects.ts';
export * from './operations/index.ts';
export type { CatalogView, Draft, Resource, Store } from './view.ts';
