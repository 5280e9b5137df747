export { type DataAccessOptions, openDataAccess } from './access.ts';
export { attributeOfBinding, bindingOf } from './bindings.ts';
export { type CoverageDimension, coverageDimensions } from './dimensions.ts';
export { type FileFacts, resolveFile, statFile } from './files.ts';
export { boxesMeet, boxOf, unionOf } from './geometry/box.ts';
export { parseWkb } from './geometry/wkb.ts';
export * from './types.ts';
