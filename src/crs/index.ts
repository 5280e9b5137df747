export { type CrsName, type CrsSpelling, parseCrsName } from './name.ts';
export type { AxisSource } from './proj-db.ts';
export { type Crs, findCrs } from './registry.ts';
export { PIXEL_METERS, scaleDenominator } from './scale.ts';
export { type Box, CrsError, transformBox, transformer } from './transform.ts';
export { identifyWkt } from './wkt.ts';
