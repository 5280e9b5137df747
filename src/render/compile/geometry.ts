/** The `Geometry` of symbolizers, as far as Mapnik can change what it draws. */
import type { Expression } from '../../data/filter/index.ts';
import { toNumber } from '../../data/filter/index.ts';
import type { Symbolizer } from '../style/model.ts';
import type { CompileContext } from './context.ts';
import { numberText } from './expressions.ts';

export interface GeometryChange {
  /** Where markers and labels go. */
  readonly placement?: 'interior' | 'vertex-first' | 'vertex-last' | 'vertices';
  /** Pixels. */
  readonly transform?: string;
}

/** What a symbolizer draws instead of its feature's geometry; undefined when that cannot be drawn at all. */
export function geometryChange(symbolizer: Symbolizer, context: CompileContext): GeometryChange | undefined {
  return change(symbolizer.geometry, context);
}

function change(geometry: Expression | undefined, context: CompileContext): GeometryChange | undefined {
  if (geometry === undefined || geometry.kind === 'property') return {};
  if (geometry.kind !== 'function') {
    context.warnings.add('a Geometry that is no attribute and no function is left out');
    return {};
  }
  const inner = () => change(geometry.arguments[0], context);
  switch (geometry.name.toLowerCase()) {
    case 'geometry':
    case 'boundary':
    case 'exteriorring':
      return {};
    case 'centroid':
    case 'interiorpoint':
    case 'labelpoint':
      return { ...inner(), placement: 'interior' };
    case 'startpoint':
      return { ...inner(), placement: 'vertex-first' };
    case 'endpoint':
      return { ...inner(), placement: 'vertex-last' };
    case 'vertices':
      return { ...inner(), placement: 'vertices' };
    case 'offset': {
      const [dx, dy] = geometry.arguments.slice(1).map((e) => (e.kind === 'literal' ? toNumber(e.value) : Number.NaN));
      if (dx === undefined || dy === undefined || Number.isNaN(dx) || Number.isNaN(dy)) {
        context.warnings.add('an offset that depends on the feature is left out');
        return inner();
      }
      const perUnit = (isGeographic(context) ? 111_319.49 : 1) / context.metersPerPixel;
      return { ...inner(), transform: `translate(${numberText(dx * perUnit)},${numberText(-dy * perUnit)})` };
    }
    case 'buffer':
    case 'simplify':
    case 'isometric':
      context.warnings.add(`the geometry function ${geometry.name} is left out: the geometry itself is drawn`);
      return inner();
    default:
      context.warnings.add(`the geometry function ${geometry.name} cannot be drawn`);
      return undefined;
  }
}

function isGeographic(context: CompileContext): boolean {
  return /epsg:(4326|4258|4269|4267|4019|4617)$|longlat/.test(context.source.srs);
}
