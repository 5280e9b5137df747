/** The style of one map layer as Mapnik styles and layers. */
import { and, type Expression, type Filter, localName } from '../../data/filter/index.ts';
import { escapeText } from '../../xml/index.ts';
import type { FeatureTypeStyle, Rule, Symbolizer, UserStyle } from '../style/model.ts';
import { type Case, expandCases, mapExpressions } from './cases.ts';
import { type CompileContext, Untranslatable } from './context.ts';
import { element } from './element.ts';
import { column, fold } from './expressions.ts';
import { translateFilter } from './filters.ts';
import { drawRaster } from './raster.ts';
import { compositeOf, drawLine, drawPoint, drawPolygon } from './symbols.ts';
import { type DrawnLabel, drawText } from './text.ts';

/** A `<Style>` and what its layer needs. */
export interface CompiledStyle {
  /** Rules, without the `<Style>` around them. */
  readonly rules: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  /** Attribute and direction; styles of one order share a layer. */
  readonly sortBy?: string;
  /** Replaces parameters of the source. */
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface CompiledLayer {
  /** In drawing order. */
  readonly styles: readonly CompiledStyle[];
  /** Drawn after the styles of all layers. */
  readonly labels: readonly CompiledStyle[];
  /** Pixels that symbols reach beyond their features. */
  readonly reach: number;
}

/** One rule's part in a Mapnik style. */
interface RulePart {
  readonly filter: Filter | undefined;
  readonly isElse: boolean;
  readonly xml: string;
}

/**
 * Compiles for one scale: rules out of scale are not in the result, so maps stay small, and the "else" of a
 * FeatureTypeStyle means those that are in scale, as it should.
 *
 * @param restriction  a condition on all features
 * @throws Untranslatable  the restriction cannot be tested by Mapnik
 */
export function compileLayer(
  style: UserStyle,
  restriction: Filter | undefined,
  context: CompileContext,
): CompiledLayer {
  const styles: CompiledStyle[] = [];
  const labels: CompiledStyle[] = [];
  let reach = 0;
  for (const fts of style.featureTypeStyles) {
    const rules = fts.rules.filter(
      (rule) => inScale(rule, context.scaleDenominator) && rule.options.inclusion !== 'legendOnly',
    );
    if (rules.every((rule) => rule.symbolizers.length === 0)) continue;
    if (fts.transformation !== undefined) {
      const name = fts.transformation.kind === 'function' ? fts.transformation.name : '';
      context.warnings.add(`the rendering transformation ${name} is left out, and with it its FeatureTypeStyle`);
      continue;
    }
    const compiled = compileFeatureTypeStyle(fts, rules, restriction, context);
    styles.push(...compiled.styles);
    labels.push(...compiled.labels);
    reach = Math.max(reach, compiled.reach);
  }
  return { styles, labels, reach };
}

export function inScale(rule: Pick<Rule, 'minScale' | 'maxScale'>, denominator: number): boolean {
  return denominator >= (rule.minScale ?? 0) && denominator < (rule.maxScale ?? Number.POSITIVE_INFINITY);
}

function compileFeatureTypeStyle(
  fts: FeatureTypeStyle,
  rules: readonly Rule[],
  restriction: Filter | undefined,
  context: CompileContext,
): CompiledLayer {
  const first = fts.options.ruleEvaluation === 'first';
  const shapes: RulePart[] = [];
  const texts: RulePart[] = [];
  const rasters: CompiledStyle[] = [];
  let priority: string | undefined;
  let reach = 0;
  for (const rule of rules) {
    const drawn = { shapes: [] as Case<string>[], texts: [] as Case<string>[] };
    for (const symbolizer of rule.symbolizers) {
      if (symbolizer.options.inclusion === 'legendOnly') continue;
      for (const { when, value } of casesOf(symbolizer, context)) {
        if (value.kind === 'raster') {
          if (context.source.kind !== 'raster') continue;
          const raster = drawRaster(value, context);
          rasters.push({ rules: element('Rule', {}, raster.xml), attributes: {}, parameters: raster.parameters });
          continue;
        }
        if (context.source.kind === 'raster') {
          context.warnings.add('a raster is drawn by RasterSymbolizers only');
          continue;
        }
        const result = drawVector(value, context);
        if (result.xml === '') continue;
        reach = Math.max(reach, result.reach);
        (value.kind === 'text' ? drawn.texts : drawn.shapes).push({ when, value: result.xml });
        priority ??= result.priority;
      }
    }
    shapes.push(...partsOf(rule, drawn.shapes, first));
    texts.push(...partsOf(rule, drawn.texts, first));
  }
  const composite = compositeOf(fts.options, context);
  const attributes = {
    'filter-mode': first ? 'first' : undefined,
    'comp-op': composite.operation,
    opacity: composite.opacity,
  };
  const sortBy = sortOf(fts, context);
  const styles = [...rasters];
  const labels: CompiledStyle[] = [];
  const shapeRules = rulesXml(shapes, { first, restriction }, context);
  if (shapeRules !== '') styles.push({ rules: shapeRules, attributes, ...(sortBy === undefined ? {} : { sortBy }) });
  const textRules = rulesXml(texts, { first, restriction }, context);
  if (textRules !== '') {
    // Labels that come first are placed first.
    const order = priority === undefined ? sortBy : `${priority} desc`;
    labels.push({
      rules: textRules,
      attributes: { 'filter-mode': attributes['filter-mode'] },
      ...(order === undefined ? {} : { sortBy: order }),
    });
  }
  return { styles, labels, reach };
}

function casesOf(symbolizer: Symbolizer, context: CompileContext): Case<Symbolizer>[] {
  const refold = (e: Expression) => fold(e, context);
  const { geometry, ...rest } = symbolizer;
  const folded = mapExpressions(rest, refold) as Symbolizer;
  try {
    // What is drawn decides about the geometry, so it is no matter of cases.
    return expandCases(folded, refold).map((c) => ({
      ...c,
      value: geometry === undefined ? c.value : { ...c.value, geometry },
    }));
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    context.warnings.add(`${error.message} cannot be drawn: defaults are taken`);
    return [{ value: { ...folded, geometry } }];
  }
}

function drawVector(symbolizer: Symbolizer, context: CompileContext): DrawnLabel {
  switch (symbolizer.kind) {
    case 'point':
      return drawPoint(symbolizer, context);
    case 'line':
      return drawLine(symbolizer, context);
    case 'polygon':
      return drawPolygon(symbolizer, context);
    case 'text':
      return drawText(symbolizer, context);
    case 'raster':
      return { xml: '', reach: 0 };
  }
}

/**
 * The Mapnik rules of one rule. Symbolizers with conditions of their own stand in rules of their own; then a rule that
 * draws nothing stands before them, so that "else" still sees that the feature was taken. Where only the first rule
 * counts, the rules of the cases are tried from the most to the least particular, and each has all that is drawn.
 */
function partsOf(rule: Rule, drawn: readonly Case<string>[], first: boolean): RulePart[] {
  const base = { filter: rule.filter, isElse: rule.elseFilter };
  if (drawn.every((c) => c.when === undefined)) return [{ ...base, xml: drawn.map((c) => c.value).join('') }];
  if (first) {
    let combined: { when: Filter | undefined; xml: string }[] = [{ when: undefined, xml: '' }];
    for (const c of drawn) {
      if (c.when === undefined) combined = combined.map((k) => ({ ...k, xml: k.xml + c.value }));
      else combined = [...combined.map((k) => ({ when: and(k.when, c.when), xml: k.xml + c.value })), ...combined];
      if (combined.length > 500) break;
    }
    return combined.map(({ when, xml }) => ({ ...base, filter: and(rule.filter, when), xml }));
  }
  const parts: RulePart[] = [{ ...base, xml: '' }];
  let plain = '';
  const flush = () => {
    if (plain !== '') parts.push({ ...base, xml: plain });
    plain = '';
  };
  for (const c of drawn) {
    if (c.when === undefined) {
      plain += c.value;
      continue;
    }
    flush();
    parts.push({ ...base, filter: and(rule.filter, c.when), xml: c.value });
  }
  flush();
  return parts;
}

/**
 * Mapnik's rules; '' when nothing would be drawn. A rule that draws nothing is kept where it takes features from others:
 * from an else rule, or where only the first rule counts.
 */
function rulesXml(
  parts: readonly RulePart[],
  { first, restriction }: { readonly first: boolean; readonly restriction: Filter | undefined },
  context: CompileContext,
): string {
  if (parts.every((part) => part.xml === '')) return '';
  const limit = restriction === undefined ? true : translateFilter(restriction, context);
  if (limit === false) return '';
  const hasElse = parts.some((part) => part.isElse);
  const filters = parts.map((part) => (part.filter === undefined ? true : attemptFilter(part.filter, context)));
  let xml = '';
  // A feature outside the restriction must not reach the else rule.
  if (hasElse && typeof limit === 'string') xml += ruleXml([`not (${limit})`], '');
  for (const [i, part] of parts.entries()) {
    const own = filters[i]!;
    if (own === false || (part.xml === '' && !hasElse && !first)) continue;
    if (part.isElse && own === true) xml += element('Rule', {}, `<ElseFilter/>${part.xml}`);
    else if (part.isElse) {
      // `<ElseFilter/>` takes no condition beside it, so "none of the others" is spelt out.
      const others = filters.filter((_, k) => !parts[k]!.isElse);
      const none = others.filter((f) => typeof f === 'string').map((f) => `not (${f})`);
      if (!others.includes(true)) xml += ruleXml([limit, own, ...none], part.xml);
    } else xml += ruleXml([limit, own], part.xml);
  }
  return xml;
}

/** Mapnik passes over rules without symbolizers; this one draws nothing, for features hold no raster. */
const NOTHING = '<RasterSymbolizer/>';

function ruleXml(conditions: readonly (string | boolean)[], symbolizers: string): string {
  const content = symbolizers === '' ? NOTHING : symbolizers;
  const texts = conditions.filter((f) => typeof f === 'string');
  if (texts.length === 0) return element('Rule', {}, content);
  const filter = texts.length === 1 ? texts[0]! : texts.map((f) => `(${f})`).join(' and ');
  return element('Rule', {}, `<Filter>${escapeText(filter)}</Filter>${content}`);
}

function attemptFilter(filter: Filter, context: CompileContext): string | boolean {
  try {
    return translateFilter(filter, context);
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    context.warnings.add(`a rule is left out, for ${error.message} cannot be tested while drawing`);
    return false;
  }
}

/** `sortBy`: `name A, other D`. Mapnik sorts by one attribute. */
function sortOf(fts: FeatureTypeStyle, context: CompileContext): string | undefined {
  const text = fts.options.sortBy;
  if (text === undefined) return undefined;
  const [key, ...others] = text.split(',').map((part) => part.trim().split(/\s+/));
  if (others.length > 0) context.warnings.add('only the first attribute of sortBy is taken');
  const name = localName(key?.[0] ?? '');
  if (name === '' || column(name, context) === undefined) return undefined;
  return `${name} ${/^d/i.test(key?.[1] ?? '') ? 'desc' : 'asc'}`;
}
