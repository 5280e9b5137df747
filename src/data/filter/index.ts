export { compareValues, equalValues, isGeometry, toBoolean, toDate, toNumber, toText } from './convert.ts';
export { CQL_LIMITS, parseCql, parseCqlExpression } from './cql.ts';
export { type Evaluated, type EvaluationContext, evaluate, evaluateExpression } from './evaluate.ts';
export { isFunction, isGeometryFunction } from './functions.ts';
export { boxOf, centroid } from './geometry.ts';
export { parseGml } from './gml.ts';
export { type Like, type LikePart, likeMatches, likeParts, likeRegex, likeSql } from './like.ts';
export {
  and,
  type ComparisonOperator,
  EXCLUDE,
  type Expression,
  type Filter,
  FilterError,
  INCLUDE,
  localName,
  type SpatialOperator,
  type TemporalOperator,
  type Value,
} from './types.ts';
export { expressionsOf, isExpression, mapGeometries, propertiesOf } from './walk.ts';
export { boxPolygon, parseWkt, startsWkt } from './wkt.ts';
export { parseExpressionXml, parseFilterXml, parseMixedXml } from './xml.ts';
