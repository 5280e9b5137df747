export { type CrsName, type CrsSpelling, parseCrsName } from './name.ts';
export { type AxisSource, axisSource } from './proj-db.ts';
export { type Crs, findCrs } from './registry.ts';
export { metersPerDegree, PIXEL_METERS, scaleDenominator } from './scale.ts';
export { type Box, CrsError, transformBox, transformer } from './transform.ts';
export { identifyWkt } from './wkt.ts';
