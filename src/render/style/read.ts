import { and, type Filter, parseFilterXml } from '../../data/filter/index.ts';
import { parseXml, type XmlDocument, type XmlElement, XmlError } from '../../xml/index.ts';
import { StyleError } from '../types.ts';
import type { FeatureTypeStyle, Rule, StyledLayerDescriptor, StyleLayer, Symbolizer, UserStyle } from './model.ts';
import { readFill, readGraphic, readSymbolizer } from './read-symbolizers.ts';
import { child, children, StyleReader, text } from './reader.ts';

/**
 * Reads a style in SLD 1.0.0 or SLD/SE 1.1.0. Names are taken by their local part and in any case, as GeoServer does.
 * What is not understood becomes a warning of the result.
 *
 * @throws StyleError  the bytes are not well-formed XML, or no style
 * @see OGC 02-070 (SLD 1.0), OGC 05-078r4 (SLD 1.1), OGC 05-077r4 (SE 1.1)
 */
export function readSld(bytes: Uint8Array): StyledLayerDescriptor {
  let document: XmlDocument;
  try {
    document = parseXml(bytes);
  } catch (cause) {
    if (cause instanceof XmlError)
      throw new StyleError(`the style is not well-formed XML: ${cause.message}`, { cause });
    throw cause;
  }
  return readSldDocument(document);
}

/** The same for a document that is parsed already, for example the SLD in the body of a request. */
export function readSldDocument(document: XmlDocument): StyledLayerDescriptor {
  const { root } = document;
  const reader = new StyleReader(document.toString());
  const version = root.attribute('version')?.startsWith('1.1') ? '1.1.0' : '1.0.0';
  let layers: StyleLayer[];
  switch (root.local.toLowerCase()) {
    case 'styledlayerdescriptor':
      layers = readLayers(reader, root);
      break;
    // Editors also save the inner parts alone.
    case 'userstyle':
      layers = [{ kind: 'named', styles: [readUserStyle(reader, root)], namedStyles: [] }];
      break;
    case 'featuretypestyle':
    case 'coveragestyle': {
      const style = { isDefault: false, featureTypeStyles: [readFeatureTypeStyle(reader, root)] };
      layers = [{ kind: 'named', styles: [style], namedStyles: [] }];
      break;
    }
    default:
      throw new StyleError(
        `the document is no style: its root is <${root.name}>, and a StyledLayerDescriptor is expected (line ${reader.line(root.start)})`,
      );
  }
  return {
    version,
    name: text(root, 'Name'),
    title: title(root),
    abstract: abstract(root),
    layers,
    warnings: reader.warnings,
  };
}

/** SLD has Title and Abstract directly, SE in Description; translations in `Localized` are left out. */
function title(element: XmlElement): string | undefined {
  return described(element, 'Title');
}

function abstract(element: XmlElement): string | undefined {
  return described(element, 'Abstract');
}

function described(element: XmlElement, name: string): string | undefined {
  const description = child(element, 'Description');
  const found = child(element, name) ?? (description && child(description, name));
  return found?.text.trim() || undefined;
}

function readLayers(reader: StyleReader, root: XmlElement): StyleLayer[] {
  const layers: StyleLayer[] = [];
  const loose: UserStyle[] = [];
  for (const element of root.elements) {
    switch (element.local.toLowerCase()) {
      case 'namedlayer':
        layers.push(readLayer(reader, element, 'named'));
        break;
      case 'userlayer':
        layers.push(readLayer(reader, element, 'user'));
        break;
      case 'userstyle':
        loose.push(readUserStyle(reader, element));
        break;
    }
  }
  if (loose.length > 0) {
    reader.warn('UserStyle stands directly in the document: a NamedLayer is missing around it', root);
    layers.push({ kind: 'named', styles: loose, namedStyles: [] });
  }
  return layers;
}

function readLayer(reader: StyleReader, element: XmlElement, kind: 'named' | 'user'): StyleLayer {
  const filters: Filter[] = [];
  const constraints = child(element, 'LayerFeatureConstraints');
  for (const constraint of constraints === undefined ? [] : children(constraints, 'FeatureTypeConstraint')) {
    const filter = child(constraint, 'Filter');
    const parsed = filter && reader.attempt(filter, () => parseFilterXml(filter));
    if (parsed !== undefined) filters.push(parsed);
  }
  for (const name of ['RemoteOWS', 'InlineFeature']) {
    const found = child(element, name);
    if (found !== undefined) reader.warn(`${name} is left out`, found);
  }
  return {
    kind,
    name: text(element, 'Name'),
    title: title(element),
    styles: children(element, 'UserStyle').map((style) => readUserStyle(reader, style)),
    namedStyles: children(element, 'NamedStyle').flatMap((style) => text(style, 'Name') ?? []),
    ...(filters.length === 0 ? {} : { filter: and(...filters) }),
  };
}

function readUserStyle(reader: StyleReader, element: XmlElement): UserStyle {
  const background = child(element, 'Background');
  return {
    name: text(element, 'Name'),
    title: title(element),
    abstract: abstract(element),
    isDefault: /^(1|true)$/.test(text(element, 'IsDefault') ?? ''),
    background: background && readFill(reader, background),
    featureTypeStyles: element.elements
      .filter((e) => /^(featuretypestyle|coveragestyle)$/i.test(e.local))
      .map((e) => readFeatureTypeStyle(reader, e)),
  };
}

function readFeatureTypeStyle(reader: StyleReader, element: XmlElement): FeatureTypeStyle {
  const online = child(element, 'OnlineResource');
  if (online !== undefined) reader.warn('a FeatureTypeStyle in another document is not fetched', online);
  const transformation = child(element, 'Transformation');
  return {
    name: text(element, 'Name'),
    title: title(element),
    abstract: abstract(element),
    featureTypeName: text(element, 'FeatureTypeName'),
    semanticTypes: children(element, 'SemanticTypeIdentifier').map((e) => e.text.trim()),
    transformation: reader.expression(transformation),
    rules: children(element, 'Rule').map((rule) => readRule(reader, rule)),
    options: reader.options(element),
  };
}

function readRule(reader: StyleReader, element: XmlElement): Rule {
  const filterElement = child(element, 'Filter');
  let filter = filterElement && reader.attempt(filterElement, () => parseFilterXml(filterElement));
  // A rule whose condition is not understood must not take every feature.
  if (filterElement !== undefined && filter === undefined && filterElement.elements.length > 0)
    filter = { kind: 'exclude' };
  const symbolizers: Symbolizer[] = [];
  for (const e of element.elements) {
    if (!/symbolizer$/i.test(e.local)) continue;
    const symbolizer = readSymbolizer(reader, e);
    if (symbolizer !== undefined) symbolizers.push(symbolizer);
    else reader.warn(`unknown symbolizer <${e.name}> is left out`, e);
  }
  const legend = child(element, 'LegendGraphic');
  const legendGraphic = legend && child(legend, 'Graphic');
  return {
    name: text(element, 'Name'),
    title: title(element),
    abstract: abstract(element),
    filter,
    elseFilter: child(element, 'ElseFilter') !== undefined,
    minScale: readScale(reader, element, 'MinScaleDenominator'),
    maxScale: readScale(reader, element, 'MaxScaleDenominator'),
    symbolizers,
    legend: legendGraphic && readGraphic(reader, legendGraphic),
    options: reader.options(element),
  };
}

function readScale(reader: StyleReader, element: XmlElement, name: string): number | undefined {
  const found = child(element, name);
  if (found === undefined || found.text.trim() === '') return undefined;
  const value = Number(found.text.trim());
  if (Number.isNaN(value)) {
    reader.warn(`${name} is no number: ${found.text.trim()}`, found);
    return undefined;
  }
  return value;
}
