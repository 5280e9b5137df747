import type { XmlElement } from '../../xml/index.ts';
import type { ServiceSettings } from '../objects.ts';
import type { FileFacts } from './file.ts';
import {
  boolean,
  commonStrings,
  type FieldTable,
  none,
  number,
  plainMap,
  readFields,
  reference,
  strings,
  text,
} from './values.ts';

const service: FieldTable<Omit<ServiceSettings, 'kind' | 'service'>> = {
  id: ['id', text],
  workspace: ['workspaceId', reference],
  enabled: ['enabled', boolean],
  name: ['name', text],
  title: ['title', text],
  abstrct: ['abstract', text],
  maintainer: ['maintainer', text],
  onlineResource: ['onlineResource', text],
  fees: ['fees', text],
  accessConstraints: ['accessConstraints', text],
  keywords: ['keywords', strings],
  srs: ['srs', commonStrings],
  citeCompliant: ['citeCompliant', boolean],
  maxRequestMemory: ['maxRequestMemoryKb', number],
  maxRenderingTime: ['maxRenderingTimeSeconds', number],
  maxRenderingErrors: ['maxRenderingErrors', number],
  maxBuffer: ['maxBufferPx', number],
  dynamicStylingDisabled: ['dynamicStylingDisabled', boolean],
  interpolation: ['interpolation', text],
  rootLayerTitle: ['rootLayerTitle', text],
  rootLayerAbstract: ['rootLayerAbstract', text],
  metadata: ['metadata', plainMap],
};

export function readService(root: XmlElement, file: FileFacts): ServiceSettings {
  const found = readFields(root, service);
  return {
    kind: 'service',
    ...file.common(found.id),
    service: root.name,
    workspaceId: found.workspaceId ?? file.workspaceFolder,
    enabled: found.enabled ?? true,
    name: found.name ?? root.name.toUpperCase(),
    title: found.title,
    abstract: found.abstract,
    maintainer: found.maintainer,
    onlineResource: found.onlineResource,
    fees: found.fees,
    accessConstraints: found.accessConstraints,
    keywords: found.keywords ?? none<string>(),
    srs: found.srs ?? none<string>(),
    citeCompliant: found.citeCompliant ?? false,
    maxRequestMemoryKb: found.maxRequestMemoryKb,
    maxRenderingTimeSeconds: found.maxRenderingTimeSeconds,
    maxRenderingErrors: found.maxRenderingErrors,
    maxBufferPx: found.maxBufferPx,
    dynamicStylingDisabled: found.dynamicStylingDisabled ?? false,
    interpolation: found.interpolation,
    rootLayerTitle: found.rootLayerTitle,
    rootLayerAbstract: found.rootLayerAbstract,
    metadata: found.metadata ?? {},
  };
}
