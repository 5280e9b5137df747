import { type Filter, FilterError, parseFilterXml } from '../../data/filter/index.ts';
import { parseXml, XmlElement, XmlError } from '../../xml/index.ts';
import { OgcException } from '../common/exceptions.ts';

/** A style document with the layers and styles that it names. */
export interface StyleDocument {
  readonly layers: readonly NamedLayer[];
}

export interface NamedLayer {
  readonly name: string;
  readonly styles: readonly (UserStyle | NamedStyle)[];
  /** Restricts the features of the layer. */
  readonly filter?: Filter;
}

/** A style that the document brings along. */
export interface UserStyle {
  readonly kind: 'user';
  readonly name: string | undefined;
  readonly isDefault: boolean;
  /** A document with this style alone. */
  bytes(): Uint8Array;
}

/** A style of the catalog. */
export interface NamedStyle {
  readonly kind: 'named';
  readonly name: string;
}

/**
 * Reads what a style document says about layers: SLD 1.0 and 1.1, by local names. The styles themselves stay as they are.
 *
 * @param parameter  the one it came in, for messages
 * @throws OgcException
 * @see OGC 02-070 (SLD 1.0), OGC 05-078r4 (SLD 1.1), 11
 */
export function parseStyleDocument(input: string | Uint8Array, parameter: string): StyleDocument {
  const locator = parameter.toLowerCase();
  let root: XmlElement;
  try {
    root = parseXml(input).root;
  } catch (cause) {
    if (!(cause instanceof XmlError)) throw cause;
    throw new OgcException('InvalidParameterValue', `${parameter} is no well-formed XML: ${cause.message}`, {
      locator,
      cause,
    });
  }
  return readStyleDocument(root, parameter);
}

export function readStyleDocument(root: XmlElement, parameter: string): StyleDocument {
  const locator = parameter.toLowerCase();
  if (root.local !== 'StyledLayerDescriptor') {
    const message = `${parameter} must be a StyledLayerDescriptor, not <${root.name}>`;
    throw new OgcException('InvalidParameterValue', message, { locator });
  }
  if (root.child('UserLayer') !== undefined) {
    const message = `${parameter} holds a UserLayer; only layers of this server can be drawn: use NamedLayer`;
    throw new OgcException('InvalidParameterValue', message, { locator });
  }
  return { layers: root.childrenNamed('NamedLayer').map((element) => namedLayer(root, element, parameter)) };
}

function namedLayer(root: XmlElement, element: XmlElement, parameter: string): NamedLayer {
  const name = element.childText('Name');
  if (name === undefined || name === '') {
    const locator = parameter.toLowerCase();
    throw new OgcException('InvalidParameterValue', `${parameter} holds a NamedLayer without a Name`, { locator });
  }
  const styles = element.elements.flatMap((child): (UserStyle | NamedStyle)[] => {
    if (child.local === 'NamedStyle') return [{ kind: 'named', name: child.childText('Name') ?? '' }];
    if (child.local !== 'UserStyle') return [];
    const bytes = () => Buffer.from(alone(root, element, child), 'utf8');
    const isDefault = /^(1|true)$/.test(child.childText('IsDefault') ?? '');
    return [{ kind: 'user', name: child.childText('Name'), isDefault, bytes }];
  });
  const constraint = element.find('LayerFeatureConstraints', 'FeatureTypeConstraint', 'Filter');
  try {
    return { name, styles, ...(constraint !== undefined && { filter: parseFilterXml(constraint) }) };
  } catch (cause) {
    if (!(cause instanceof FilterError)) throw cause;
    const message = `the constraint of layer ${name} in ${parameter} cannot be understood: ${cause.message}`;
    throw new OgcException('InvalidParameterValue', message, { locator: parameter.toLowerCase(), cause });
  }
}

/** A document that holds one style of another, with every namespace that is in scope there. */
function alone(root: XmlElement, layer: XmlElement, style: XmlElement): string {
  const attributes: Record<string, string> = { ...root.attributes };
  for (const prefix in style.namespaces)
    if (prefix !== 'xml') attributes[prefix === '' ? 'xmlns' : `xmlns:${prefix}`] = style.namespaces[prefix]!;
  const name = layer.child('Name')!;
  const inner = XmlElement.of(layer.name, [XmlElement.of(name.name, name.text), style]);
  return XmlElement.of(root.name, [inner], attributes).toString();
}
