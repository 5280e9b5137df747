import type { XmlElement } from '../../xml/index.ts';
import type { Namespace, Workspace } from '../objects.ts';
import type { FileFacts } from './file.ts';
import { boolean, type FieldTable, readFields, text } from './values.ts';

const workspace: FieldTable<Workspace> = {
  id: ['id', text],
  name: ['name', text],
  isolated: ['isolated', boolean],
};

export function readWorkspace(root: XmlElement, file: FileFacts): Workspace {
  const found = readFields(root, workspace);
  return {
    kind: 'workspace',
    ...file.common(found.id),
    name: file.required('name', found.name),
    isolated: found.isolated ?? false,
  };
}

const namespace: FieldTable<Namespace> = {
  id: ['id', text],
  prefix: ['prefix', text],
  uri: ['uri', text],
  isolated: ['isolated', boolean],
};

export function readNamespace(root: XmlElement, file: FileFacts): Namespace {
  const found = readFields(root, namespace);
  return {
    kind: 'namespace',
    ...file.common(found.id),
    prefix: file.required('prefix', found.prefix),
    uri: found.uri ?? '',
    isolated: found.isolated ?? false,
  };
}
