/** How the name of a CRS is spelled. It matters: some services read coordinates in another order for another spelling. */
export type CrsSpelling = 'epsg' | 'crs' | 'gml' | 'urn' | 'url';

export interface CrsName {
  readonly spelling: CrsSpelling;
  /** `EPSG`, `ESRI`, or `CRS` for the three codes of WMS (`CRS:84`, which OGC also writes `OGC:CRS84`). */
  readonly authority: 'EPSG' | 'ESRI' | 'CRS';
  readonly code: number;
}

/** One spelling a line; group 1 is the authority where it is free, the last group the code. */
const SPELLINGS: readonly { readonly spelling: CrsSpelling; readonly pattern: RegExp }[] = [
  { spelling: 'epsg', pattern: /^(EPSG|ESRI):{1,2}(\d{1,7})$/i },
  { spelling: 'crs', pattern: /^(?:(CRS):|OGC:{1,2}CRS:?)(84|83|27)$/i },
  { spelling: 'gml', pattern: /^https?:\/\/www\.opengis\.net\/gml\/srs\/(epsg)\.xml#(\d{1,7})$/i },
  { spelling: 'urn', pattern: /^urn:(?:x-)?ogc:def:crs:(EPSG|ESRI):(?:[\w.]*:)?(\d{1,7})$/i },
  { spelling: 'urn', pattern: /^urn:(?:x-)?ogc:def:crs:(?:OGC:(?:[\w.]*:)?CRS|(CRS):(?:[\w.]*:)?)(84|83|27)$/i },
  { spelling: 'url', pattern: /^https?:\/\/www\.opengis\.net\/def\/crs\/(EPSG|ESRI)\/[\w.]+\/(\d{1,7})$/i },
  {
    spelling: 'url',
    pattern: /^https?:\/\/www\.opengis\.net\/def\/crs\/(?:OGC\/[\w.]+\/CRS|(CRS)\/[\w.]+\/)(84|83|27)$/i,
  },
];

/** Takes the name of a CRS apart; undefined when it is no name that OGC or GeoServer uses. */
export function parseCrsName(name: string): CrsName | undefined {
  const trimmed = name.trim();
  for (const { spelling, pattern } of SPELLINGS) {
    const match = pattern.exec(trimmed);
    if (match === null) continue;
    const authority = (match[1] ?? 'CRS').toUpperCase() as CrsName['authority'];
    return { spelling, authority, code: Number(match[2]) };
  }
  return undefined;
}
