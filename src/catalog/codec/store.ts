import type { XmlElement } from '../../xml/index.ts';
import type { CoverageStore, DataStore, RemoteStore } from '../objects.ts';
import type { FileFacts } from './file.ts';
import { boolean, common, type FieldTable, plainMap, readFields, reference, text } from './values.ts';

type StoreFields = Omit<DataStore, 'kind'> & Omit<CoverageStore, 'kind'> & Omit<RemoteStore, 'kind'>;

const store: FieldTable<StoreFields> = {
  id: ['id', common],
  name: ['name', text],
  description: ['description', text],
  type: ['type', common],
  enabled: ['enabled', boolean],
  workspace: ['workspaceId', reference],
  connectionParameters: ['connectionParameters', plainMap],
  url: ['url', text],
  capabilitiesURL: ['capabilitiesUrl', text],
};

function readCommon(root: XmlElement, file: FileFacts) {
  const found = readFields(root, store);
  return {
    found,
    base: {
      ...file.common(found.id),
      name: file.required('name', found.name),
      workspaceId: found.workspaceId ?? file.workspaceFolder ?? '',
      // Java's default for a flag that an old file lacks.
      enabled: found.enabled ?? false,
      description: found.description,
      type: found.type,
    },
  };
}

export function readDataStore(root: XmlElement, file: FileFacts): DataStore {
  const { found, base } = readCommon(root, file);
  return { kind: 'dataStore', ...base, connectionParameters: found.connectionParameters ?? {} };
}

export function readCoverageStore(root: XmlElement, file: FileFacts): CoverageStore {
  const { found, base } = readCommon(root, file);
  return { kind: 'coverageStore', ...base, url: found.url ?? '' };
}

export function readRemoteStore(kind: RemoteStore['kind']): (root: XmlElement, file: FileFacts) => RemoteStore {
  return (root, file) => {
    const { found, base } = readCommon(root, file);
    return { kind, ...base, capabilitiesUrl: found.capabilitiesUrl ?? '' };
  };
}
