import { createHash } from 'node:crypto';
import type { ContentHash, TreePath } from '../../tree/index.ts';
import { parseXml, type XmlElement } from '../../xml/index.ts';
import type { CatalogObject } from '../objects.ts';
import { type FileKind, kindOfPath } from '../paths.ts';
import { FileFacts } from './file.ts';
import { readLayer } from './layer.ts';
import { readLayerGroup } from './layer-group.ts';
import { readCoverage, readFeatureType, readRemoteLayer } from './resource.ts';
import { readService } from './service.ts';
import { readGlobal, readLocalSettings, readLogging } from './settings.ts';
import { readCoverageStore, readDataStore, readRemoteStore } from './store.ts';
import { readStyle } from './style.ts';
import { CodecError } from './values.ts';
import { readNamespace, readWorkspace } from './workspace.ts';

export { CodecError } from './values.ts';

type Read = (root: XmlElement, file: FileFacts) => CatalogObject;

/** Root element and reader of each kind; the root of a service is its name. */
const codecs: Readonly<Record<FileKind, readonly [root: string | undefined, Read]>> = {
  workspace: ['workspace', readWorkspace],
  'default-workspace': ['workspace', readWorkspace],
  namespace: ['namespace', readNamespace],
  dataStore: ['dataStore', readDataStore],
  coverageStore: ['coverageStore', readCoverageStore],
  wmsStore: ['wmsStore', readRemoteStore('wmsStore')],
  wmtsStore: ['wmtsStore', readRemoteStore('wmtsStore')],
  featureType: ['featureType', readFeatureType],
  coverage: ['coverage', readCoverage],
  wmsLayer: ['wmsLayer', readRemoteLayer('wmsLayer')],
  wmtsLayer: ['wmtsLayer', readRemoteLayer('wmtsLayer')],
  layer: ['layer', readLayer],
  layerGroup: ['layerGroup', readLayerGroup],
  style: ['style', readStyle],
  service: [undefined, readService],
  global: ['global', readGlobal],
  settings: ['settings', readLocalSettings],
  logging: ['logging', readLogging],
};

/**
 * Reads a file of the catalog; what kind it is follows from its path.
 *
 * @param hash  hash of the bytes; computed when absent
 * @returns undefined for a file that is not the catalog's: by its place, or a `.xml` among the styles that is no style
 * @throws XmlError    it is not well-formed
 * @throws CodecError  it is not what its place says, or lacks what it needs
 */
export function readObject(path: TreePath, bytes: Uint8Array, hash?: ContentHash): CatalogObject | undefined {
  const kind = kindOfPath(path);
  if (kind === undefined) return undefined;
  const { root } = parseXml(bytes);
  const [expected, read] = codecs[kind];
  const name = expected ?? path.slice(path.lastIndexOf('/') + 1, -'.xml'.length);
  if (root.name !== name) {
    if (kind === 'style') return undefined;
    throw new CodecError(`the root element is <${root.name}>, not <${name}>`);
  }
  const digest = hash ?? (createHash('sha256').update(bytes).digest('hex') as ContentHash);
  return read(root, new FileFacts(path, digest));
}
