import { parseXml, XmlElement, XmlError } from '../../xml/index.ts';
import { OgcException } from '../common/exceptions.ts';

/**
 * A request sent as an XML document (`GetMap` with a style document in it, or `GetCapabilities`) as the key-value pairs that mean the same.
 *
 * @throws OgcException
 * @see OGC 02-017r1 (WMS and SLD by POST), 5.4
 */
export function pairsOfXml(body: Uint8Array): (readonly [string, string])[] {
  let root: XmlElement;
  try {
    root = parseXml(body).root;
  } catch (cause) {
    if (!(cause instanceof XmlError)) throw cause;
    throw new OgcException('InvalidParameterValue', `the request is no well-formed XML: ${cause.message}`, { cause });
  }
  const pairs: [string, string][] = [['REQUEST', root.local]];
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value.trim() !== '') pairs.push([name, value.trim()]);
  };
  add('SERVICE', root.attribute('service'));
  add('VERSION', root.attribute('version'));
  add('UPDATESEQUENCE', root.attribute('updateSequence'));
  if (root.local !== 'GetMap') return pairs;
  const sld = root.child('StyledLayerDescriptor');
  if (sld !== undefined) add('SLD_BODY', withNamespaces(sld));
  const box = root.child('BoundingBox') ?? root.child('BBox');
  add('SRS', root.childText('CRS') ?? box?.attribute('srsName'));
  add('BBOX', box && coordinates(box));
  const output = root.child('Output');
  add('FORMAT', output?.childText('Format'));
  add('TRANSPARENT', output?.childText('Transparent'));
  add('BGCOLOR', output?.childText('BGcolor') ?? output?.childText('BGColor'));
  add('WIDTH', output?.find('Size', 'Width')?.text);
  add('HEIGHT', output?.find('Size', 'Height')?.text);
  add('EXCEPTIONS', root.childText('Exceptions'));
  return pairs;
}

/** Corners as `gml:coord`, `gml:coordinates`, `gml:lowerCorner` or `ows:LowerCorner`. */
function coordinates(box: XmlElement): string {
  const coords = box
    .childrenNamed('coord')
    .flatMap((coord) => [coord.childText('X') ?? '', coord.childText('Y') ?? '']);
  if (coords.length > 0) return coords.join(',');
  const corners = box.elements.filter(({ local }) => /^(coordinates|(lower|upper)Corner)$/i.test(local));
  return corners.flatMap(({ text }) => text.trim().split(/[\s,]+/)).join(',');
}

/** The element as a document of its own, with the namespaces that are declared above it. */
function withNamespaces(element: XmlElement): string {
  const attributes: Record<string, string> = { ...element.attributes };
  for (const prefix in element.namespaces)
    if (prefix !== 'xml') attributes[prefix === '' ? 'xmlns' : `xmlns:${prefix}`] = element.namespaces[prefix]!;
  return XmlElement.of(element.name, element.children, attributes).toString();
}
