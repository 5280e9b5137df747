import type { XmlElement } from '../../xml/index.ts';
import { complexValue } from '../brief-map.ts';
import type { Coverage, FeatureType, RemoteLayer, VirtualTable } from '../objects.ts';
import { flat } from '../strings.ts';
import type { FileFacts } from './file.ts';
import {
  boolean,
  boundingBox,
  common,
  commonStrings,
  type FieldTable,
  metadataLinks,
  none,
  number,
  plainMap,
  readFields,
  reference,
  text,
  word,
} from './values.ts';

type ResourceFields = Omit<FeatureType, 'kind'> & Omit<Coverage, 'kind'>;

const resource: FieldTable<ResourceFields> = {
  id: ['id', common],
  name: ['name', text],
  nativeName: ['nativeName', text],
  namespace: ['namespaceId', reference],
  store: ['storeId', reference],
  title: ['title', text],
  abstract: ['abstract', text],
  keywords: ['keywords', commonStrings],
  srs: ['srs', common],
  nativeCRS: ['nativeCrs', common],
  nativeBoundingBox: ['nativeBoundingBox', boundingBox],
  latLonBoundingBox: ['latLonBoundingBox', boundingBox],
  projectionPolicy: ['projectionPolicy', word('FORCE_DECLARED', 'REPROJECT_TO_DECLARED', 'NONE')],
  enabled: ['enabled', boolean],
  advertised: ['advertised', boolean],
  metadataLinks: ['metadataLinks', metadataLinks],
};

const featureType: FieldTable<ResourceFields> = {
  ...resource,
  cqlFilter: ['cqlFilter', text],
  maxFeatures: ['maxFeatures', number],
  metadata: ['virtualTable', virtualTable],
};

const coverage: FieldTable<ResourceFields> = {
  ...resource,
  nativeCoverageName: ['nativeCoverageName', text],
  parameters: ['parameters', plainMap],
};

function build(found: Partial<ResourceFields>, file: FileFacts) {
  const name = file.required('name', found.name);
  return {
    ...file.common(found.id),
    name,
    // Titles and native names mostly repeat the name: one string then.
    nativeName: found.nativeName === undefined || found.nativeName === name ? name : found.nativeName,
    namespaceId: found.namespaceId ?? file.workspaceFolder ?? '',
    storeId: file.required('store', found.storeId),
    title: found.title === name ? name : found.title,
    abstract: found.abstract,
    keywords: found.keywords ?? none<string>(),
    srs: found.srs,
    nativeCrs: found.nativeCrs,
    nativeBoundingBox: found.nativeBoundingBox,
    latLonBoundingBox: found.latLonBoundingBox,
    projectionPolicy: found.projectionPolicy ?? ('FORCE_DECLARED' as const),
    enabled: found.enabled ?? false,
    advertised: found.advertised ?? true,
    metadataLinks: found.metadataLinks ?? none(),
  };
}

export function readFeatureType(root: XmlElement, file: FileFacts): FeatureType {
  const found = readFields(root, featureType);
  return {
    kind: 'featureType',
    ...build(found, file),
    cqlFilter: found.cqlFilter,
    maxFeatures: found.maxFeatures,
    virtualTable: found.virtualTable,
  };
}

const NO_PARAMETERS: Readonly<Record<string, string>> = Object.freeze({});

export function readCoverage(root: XmlElement, file: FileFacts): Coverage {
  const found = readFields(root, coverage);
  return {
    kind: 'coverage',
    ...build(found, file),
    nativeCoverageName: found.nativeCoverageName,
    parameters: found.parameters ?? NO_PARAMETERS,
  };
}

export function readRemoteLayer(kind: RemoteLayer['kind']): (root: XmlElement, file: FileFacts) => RemoteLayer {
  return (root, file) => ({ kind, ...build(readFields(root, resource), file) });
}

/** The SQL view among the metadata. Line ends and blanks of the SQL stay as they are. */
function virtualTable(metadata: XmlElement): VirtualTable | undefined {
  const element = complexValue(metadata, 'JDBC_VIRTUAL_TABLE');
  if (element === undefined) return undefined;
  return {
    name: flat(element.childText('name') ?? ''),
    sql: flat(element.child('sql')?.text ?? ''),
    keyColumns: element.childrenNamed('keyColumn').map((column) => flat(column.text.trim())),
    geometries: element.childrenNamed('geometry').map((geometry) => ({
      name: flat(geometry.childText('name') ?? ''),
      type: geometry.childText('type') ?? 'Geometry',
      srid: Number(geometry.childText('srid') ?? -1),
    })),
    parameters: element.childrenNamed('parameter').map((parameter) => ({
      name: flat(parameter.childText('name') ?? ''),
      defaultValue: optional(parameter.child('defaultValue')?.text),
      regexpValidator: optional(parameter.childText('regexpValidator')),
    })),
  };
}

function optional(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : flat(value);
}
