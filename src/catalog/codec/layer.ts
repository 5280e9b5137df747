import type { XmlElement } from '../../xml/index.ts';
import { readMap } from '../brief-map.ts';
import type { Attribution, Layer } from '../objects.ts';
import { flat } from '../strings.ts';
import type { FileFacts } from './file.ts';
import {
  boolean,
  common,
  type FieldTable,
  none,
  number,
  readFields,
  reference,
  references,
  text,
  word,
} from './values.ts';

interface LayerFields extends Omit<Layer, 'kind'> {
  readonly metadata: Pick<Layer, 'authorityUrls' | 'identifiers'>;
}

const layer: FieldTable<LayerFields> = {
  id: ['id', text],
  type: ['type', word('VECTOR', 'RASTER', 'REMOTE', 'WMS', 'WMTS', 'GROUP')],
  defaultStyle: ['defaultStyleId', reference],
  styles: ['styleIds', references],
  resource: ['resourceId', reference],
  queryable: ['queryable', boolean],
  opaque: ['opaque', boolean],
  attribution: ['attribution', attribution],
  authorityURLs: ['authorityUrls', authorityUrls],
  identifiers: ['identifiers', identifiers],
  defaultWMSInterpolationMethod: ['defaultInterpolation', common],
  metadata: ['metadata', oldMetadata],
};

/** The type that a file without `type` means, by the class of its resource. */
const typeOfResource: Readonly<Record<string, Layer['type']>> = {
  featureType: 'VECTOR',
  coverage: 'RASTER',
  wmsLayer: 'WMS',
  wmtsLayer: 'WMTS',
};

export function readLayer(root: XmlElement, file: FileFacts): Layer {
  const found = readFields(root, layer);
  return {
    kind: 'layer',
    ...file.common(found.id),
    resourceId: file.required('resource', found.resourceId),
    type: found.type ?? typeOfResource[root.child('resource')?.attribute('class') ?? ''] ?? 'VECTOR',
    defaultStyleId: found.defaultStyleId,
    styleIds: found.styleIds ?? none<string>(),
    queryable: found.queryable ?? true,
    opaque: found.opaque ?? false,
    attribution: found.attribution,
    authorityUrls: found.authorityUrls ?? found.metadata?.authorityUrls ?? none(),
    identifiers: found.identifiers ?? found.metadata?.identifiers ?? none(),
    defaultInterpolation: found.defaultInterpolation,
  };
}

const attributionFields: FieldTable<Attribution> = {
  title: ['title', text],
  href: ['href', text],
  logoURL: ['logoUrl', text],
  logoType: ['logoType', common],
  logoWidth: ['logoWidth', number],
  logoHeight: ['logoHeight', number],
};

/** Undefined when it only says that the logo has no size, as most files do. */
export function attribution(element: XmlElement): Attribution | undefined {
  const found = readFields(element, attributionFields);
  if (found.title === undefined && found.href === undefined && found.logoUrl === undefined) return undefined;
  return { ...found, logoWidth: found.logoWidth ?? 0, logoHeight: found.logoHeight ?? 0 };
}

function authorityUrls(element: XmlElement): Layer['authorityUrls'] {
  return element.elements.map((url) => ({
    name: flat(url.childText('name') ?? ''),
    href: flat(url.childText('href') ?? ''),
  }));
}

function identifiers(element: XmlElement): Layer['identifiers'] {
  return element.elements.map((identifier) => ({
    authority: flat(identifier.childText('authority') ?? ''),
    identifier: flat(identifier.childText('identifier') ?? ''),
  }));
}

/** Files of 2.1 keep both as JSON texts among the metadata. */
function oldMetadata(metadata: XmlElement): LayerFields['metadata'] | undefined {
  const values = readMap(metadata);
  const urls = records(values.get('authorityURLs')).map((url) => ({ name: url.name ?? '', href: url.href ?? '' }));
  const ids = records(values.get('identifiers')).map((id) => ({
    authority: id.authority ?? '',
    identifier: id.identifier ?? '',
  }));
  return urls.length + ids.length === 0 ? undefined : { authorityUrls: urls, identifiers: ids };
}

function records(json: string | undefined): readonly Readonly<Record<string, string | undefined>>[] {
  if (json === undefined) return none();
  try {
    const parsed: unknown = JSON.parse(json);
    return Array.isArray(parsed) ? parsed.filter((item) => typeof item === 'object' && item !== null) : none();
  } catch {
    // It was never part of the contract that this is JSON; the text stays in the file.
    return none();
  }
}
