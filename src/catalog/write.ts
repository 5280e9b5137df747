/** Writing catalog files: in GeoServer's spelling, and without touching what is not changed. */

import type { TreePath } from '../tree/index.ts';
import { parseXml, XmlElement } from '../xml/index.ts';
import type { BoundingBox } from './objects.ts';
import { orderOf } from './schema.ts';
import type { Draft } from './view.ts';

/** Class names in GeoServer's ids. */
const classNames = {
  workspace: 'WorkspaceInfoImpl',
  namespace: 'NamespaceInfoImpl',
  dataStore: 'DataStoreInfoImpl',
  coverageStore: 'CoverageStoreInfoImpl',
  wmsStore: 'WMSStoreInfoImpl',
  wmtsStore: 'WMTSStoreInfoImpl',
  featureType: 'FeatureTypeInfoImpl',
  coverage: 'CoverageInfoImpl',
  wmsLayer: 'WMSLayerInfoImpl',
  wmtsLayer: 'WMTSLayerInfoImpl',
  layer: 'LayerInfoImpl',
  layerGroup: 'LayerGroupInfoImpl',
  style: 'StyleInfoImpl',
  settings: 'SettingsInfoImpl',
  wms: 'WMSInfoImpl',
  wfs: 'WFSInfoImpl',
  wcs: 'WCSInfoImpl',
  wmts: 'WMTSInfoImpl',
  csw: 'CSWInfoImpl',
  wps: 'WPSInfoImpl',
} as const;

/**
 * An id in the form of GeoServer's own, `WorkspaceInfoImpl-1c443fee:182c0f3f209:-7ffa`, rather than a UUID: tools that
 * know ids by that shape keep working, and files of a directory written by both look alike. GeoServer fills it with a
 * machine's number, time and a counter; here all of it is random (91 bits), for nodes share none of those.
 */
export function newId(kind: keyof typeof classNames, random: () => number): string {
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
  const count = (0x1000 + Math.floor(random() * 0x7000)).toString(16);
  return `${classNames[kind]}-${hex(8)}:1${hex(10)}:-${count}`;
}

/** `2022-08-21 15:24:36.787 UTC`; the fraction is the plain number of milliseconds, without zeros before it. */
export function formatDate(milliseconds: number): string {
  const [date, time] = new Date(milliseconds).toISOString().split('T') as [string, string];
  return `${date} ${time.slice(0, 8)}.${Number(time.slice(9, 12))} UTC`;
}

/** A number as Java prints a double: `-180.0`, `1.113194907932E7`, `1.0E-5`. */
export function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e7)) {
    const text = String(value);
    return text.includes('.') ? text : `${Object.is(value, -0) ? '-0' : text}.0`;
  }
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
}

/** An envelope: `minx maxx miny maxy crs`, in this order. */
export function boundingBoxElement(name: string, box: BoundingBox): XmlElement {
  const number = (child: 'minx' | 'maxx' | 'miny' | 'maxy') => XmlElement.of(child, formatDouble(box[child]));
  const crs = box.crs === undefined ? [] : [XmlElement.of('crs', box.crs)];
  return XmlElement.of(name, [number('minx'), number('maxx'), number('miny'), number('maxy'), ...crs]);
}

/** A reference by id, as in files; attributes such as `class` and `type` say what it refers to. */
export function referenceElement(
  name: string,
  id: string,
  attributes: Readonly<Record<string, string>> = {},
): XmlElement {
  return XmlElement.of(name, [XmlElement.of('id', id)], attributes);
}

/** Writes a new file, indented as GeoServer does. */
export function putXmlFile(draft: Draft, path: TreePath, root: XmlElement): void {
  draft.put(path, Buffer.from(root.toIndentedString(), 'utf8'));
}

/** The root element of a catalog file. @throws XmlError  @throws Error  there is no such file */
export function readXmlFile(draft: Pick<Draft, 'read'>, path: TreePath): XmlElement {
  return parse(draft, path).root;
}

/**
 * Changes a file: what `edit` leaves alone is written byte for byte as it was, in the encoding it was in. Nothing is
 * recorded when nothing changed.
 *
 * @returns whether anything changed
 * @throws XmlError  the file is not well-formed
 */
export function editXmlFile(draft: Draft, path: TreePath, edit: (root: XmlElement) => void): boolean {
  const document = parse(draft, path);
  edit(document.root);
  if (!document.root.changed) return false;
  draft.put(path, document.toBytes());
  return true;
}

function parse(draft: Pick<Draft, 'read'>, path: TreePath) {
  const bytes = draft.read(path);
  if (bytes === undefined) throw new Error(`there is no file ${path}`);
  return parseXml(bytes);
}

/** Sets the text of a child; nothing changes when it has it. The child is put where GeoServer writes it. */
export function setText(root: XmlElement, name: string, value: string): void {
  const child = root.child(name);
  if (child === undefined) root.setChild(XmlElement.of(name, value), orderOf(root.name));
  else child.setText(value);
}

/** Puts a child where GeoServer writes it, in place of what was there; nothing changes when that says the same. */
export function setElement(root: XmlElement, child: XmlElement): void {
  const before = root.child(child.name);
  if (before !== undefined && sameContent(before, child)) return;
  // Printed and read again, so that it stands in the file with line breaks and indentation.
  const printed = parseXml(child.toIndentedString('  ').trimStart()).root;
  root.setChild(printed, orderOf(root.name));
}

/** Whether two elements say the same: white space between elements, comments and the order of attributes aside. */
export function sameContent(a: XmlElement, b: XmlElement): boolean {
  if (a.name !== b.name) return false;
  const names = Object.keys(a.attributes);
  if (
    names.length !== Object.keys(b.attributes).length ||
    names.some((name) => a.attribute(name) !== b.attribute(name))
  )
    return false;
  const left = a.elements;
  const right = b.elements;
  if (left.length !== right.length) return false;
  return left.length === 0 ? a.text === b.text : left.every((child, index) => sameContent(child, right[index]!));
}
