export { type DataAccessOptions, openDataAccess } from './access.ts';
export { bindingOf } from './bindings.ts';
export { type CoverageDimension, coverageDimensions } from './dimensions.ts';
export type { FileFacts } from './files.ts';
export * from './types.ts';
