import type { XmlElement } from '../../xml/index.ts';
import type { Style } from '../objects.ts';
import { intern } from '../strings.ts';
import type { FileFacts } from './file.ts';
import { common, type FieldTable, readFields, reference, text } from './values.ts';

const style: FieldTable<Omit<Style, 'kind'>> = {
  id: ['id', common],
  name: ['name', text],
  workspace: ['workspaceId', reference],
  format: ['format', common],
  languageVersion: ['languageVersion', version],
  // Files before 2.8 had this name for it.
  sldVersion: ['languageVersion', version],
  filename: ['filename', text],
};

export function readStyle(root: XmlElement, file: FileFacts): Style {
  const found = readFields(root, style);
  const name = file.required('name', found.name);
  const format = found.format ?? 'sld';
  return {
    kind: 'style',
    ...file.common(found.id),
    name,
    workspaceId: found.workspaceId ?? file.workspaceFolder,
    format,
    languageVersion: found.languageVersion ?? '1.0.0',
    filename: found.filename ?? `${name}.${format}`,
  };
}

function version(element: XmlElement): string | undefined {
  const value = (element.child('version') ?? element).text.trim();
  return value === '' ? undefined : intern(value);
}
