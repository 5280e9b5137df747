import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Xml, xml } from '../../xml/index.ts';
import { statFile } from '../files.ts';
import type { Band } from '../types.ts';
import { type Georeference, gdalTransform } from './georeference.ts';

/**
 * GDAL's virtual rasters: XML that puts images together. Kept as files in the cache, named after their contents, because a
 * mosaic's text can be megabytes.
 *
 * @see https://gdal.org/drivers/raster/vrt.html
 */
export interface VirtualRaster {
  readonly width: number;
  readonly height: number;
  readonly georeference: Georeference;
  readonly bands: readonly VirtualBand[];
}

export interface VirtualBand {
  readonly dataType: Band['dataType'];
  readonly noData?: number;
  readonly colorInterpretation?: Band['colorInterpretation'];
  readonly sources: readonly VirtualBandSource[];
  /** Coarser versions of the whole band. */
  readonly overviews?: readonly { readonly file: string; readonly band: number }[];
}

export interface VirtualBandSource {
  readonly file: string;
  /** From 1. */
  readonly band: number;
  readonly width: number;
  readonly height: number;
  readonly dataType: Band['dataType'];
  /** Where it goes, in pixels of the whole. */
  readonly target: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  /** The band holds numbers of colours: take this component of them, from 1 (red) to 4 (alpha). */
  readonly colorComponent?: number;
  /** Whatever the band holds, this is the value. */
  readonly constant?: number;
  readonly noData?: number;
}

const DATA_TYPES: Readonly<Record<Band['dataType'], string>> = {
  uint8: 'Byte',
  int8: 'Int8',
  uint16: 'UInt16',
  int16: 'Int16',
  uint32: 'UInt32',
  int32: 'Int32',
  float32: 'Float32',
  float64: 'Float64',
};

const COLORS: Readonly<Record<NonNullable<Band['colorInterpretation']>, string>> = {
  gray: 'Gray',
  red: 'Red',
  green: 'Green',
  blue: 'Blue',
  alpha: 'Alpha',
  palette: 'Palette',
};

export function formatVrt(raster: VirtualRaster): string {
  return xml`<VRTDataset rasterXSize="${raster.width}" rasterYSize="${raster.height}">
  <GeoTransform>${gdalTransform(raster.georeference).join(', ')}</GeoTransform>
${raster.bands.map(formatBand)}</VRTDataset>
`.toString();
}

function formatBand(band: VirtualBand, i: number): Xml {
  return xml`  <VRTRasterBand dataType="${DATA_TYPES[band.dataType]}" band="${i + 1}">
${band.colorInterpretation !== undefined && xml`    <ColorInterp>${COLORS[band.colorInterpretation]}</ColorInterp>\n`}${band.noData !== undefined && xml`    <NoDataValue>${number(band.noData)}</NoDataValue>\n`}${band.sources.map(formatSource)}${band.overviews?.map(
  (overview) =>
    xml`    <Overview><SourceFilename relativeToVRT="0">${overview.file}</SourceFilename><SourceBand>${overview.band}</SourceBand></Overview>\n`,
)}  </VRTRasterBand>
`;
}

function formatSource(source: VirtualBandSource): Xml {
  const { target } = source;
  const body = xml`<SourceFilename relativeToVRT="0">${source.file}</SourceFilename>
      <SourceBand>${source.band}</SourceBand>
      <SourceProperties RasterXSize="${source.width}" RasterYSize="${source.height}" DataType="${DATA_TYPES[source.dataType]}"/>
      <SrcRect xOff="0" yOff="0" xSize="${source.width}" ySize="${source.height}"/>
      <DstRect xOff="${target.x}" yOff="${target.y}" xSize="${target.width}" ySize="${target.height}"/>`;
  if (source.constant !== undefined)
    return xml`    <ComplexSource>
      ${body}
      <ScaleOffset>${source.constant}</ScaleOffset><ScaleRatio>0</ScaleRatio>
    </ComplexSource>
`;
  if (source.colorComponent !== undefined)
    return xml`    <ComplexSource>
      ${body}
      <ColorTableComponent>${source.colorComponent}</ColorTableComponent>
    </ComplexSource>
`;
  if (source.noData !== undefined)
    return xml`    <ComplexSource>
      ${body}
      <NODATA>${number(source.noData)}</NODATA>
    </ComplexSource>
`;
  return xml`    <SimpleSource>
      ${body}
    </SimpleSource>
`;
}

/** A turned or sheared raster, resampled to rows that run east: the drawing engine takes no others. */
export interface WarpedRaster {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly georeference: Georeference;
  readonly bands: readonly Pick<Band, 'dataType' | 'noData' | 'colorInterpretation'>[];
  readonly target: { readonly width: number; readonly height: number; readonly georeference: Georeference };
}

export function formatWarpedVrt(raster: WarpedRaster): string {
  const { target, bands } = raster;
  const source = gdalTransform(raster.georeference);
  const destination = gdalTransform(target.georeference);
  const dataType = DATA_TYPES[bands[0]!.dataType];
  const alpha = bands.findIndex((band) => band.colorInterpretation === 'alpha');
  const colors = bands.map((_, i) => i).filter((i) => i !== alpha);
  // The corners that the source does not reach are transparent.
  const band = (i: number, color: Band['colorInterpretation'], noData?: number) => xml`
  <VRTRasterBand dataType="${dataType}" band="${i}" subClass="VRTWarpedRasterBand">${color !== undefined && xml`<ColorInterp>${COLORS[color]}</ColorInterp>`}${noData !== undefined && xml`<NoDataValue>${number(noData)}</NoDataValue>`}</VRTRasterBand>`;
  return xml`<VRTDataset rasterXSize="${target.width}" rasterYSize="${target.height}" subClass="VRTWarpedDataset">
  <GeoTransform>${destination.join(', ')}</GeoTransform>${colors.map((i, at) => band(at + 1, bands[i]!.colorInterpretation, bands[i]!.noData))}${band(colors.length + 1, 'alpha')}
  <BlockXSize>256</BlockXSize>
  <BlockYSize>256</BlockYSize>
  <GDALWarpOptions>
    <WarpMemoryLimit>67108864</WarpMemoryLimit>
    <ResampleAlg>NearestNeighbour</ResampleAlg>
    <WorkingDataType>${dataType}</WorkingDataType>
    <Option name="INIT_DEST">0</Option>
    <SourceDataset relativeToVRT="0">${raster.file}</SourceDataset>
    <Transformer><GenImgProjTransformer>
      <SrcGeoTransform>${source.join(',')}</SrcGeoTransform>
      <SrcInvGeoTransform>${invert(source).join(',')}</SrcInvGeoTransform>
      <DstGeoTransform>${destination.join(',')}</DstGeoTransform>
      <DstInvGeoTransform>${invert(destination).join(',')}</DstInvGeoTransform>
    </GenImgProjTransformer></Transformer>
    <BandList>${colors.map((i, at) => xml`<BandMapping src="${i + 1}" dst="${at + 1}"/>`)}</BandList>
    ${alpha !== -1 && xml`<SrcAlphaBand>${alpha + 1}</SrcAlphaBand>`}
    <DstAlphaBand>${colors.length + 1}</DstAlphaBand>
  </GDALWarpOptions>
</VRTDataset>
`.toString();
}

function invert([x0, a, b, y0, c, d]: readonly [number, number, number, number, number, number]): number[] {
  const det = a * d - b * c;
  return [(b * y0 - d * x0) / det, d / det, -b / det, (c * x0 - a * y0) / det, -c / det, a / det];
}

const number = (value: number) => (Number.isNaN(value) ? 'nan' : String(value));

let drafts = 0;

/** Writes a virtual raster into the cache, unless it is there. @returns its path */
export async function keepVrt(text: string, cacheDir: string): Promise<string> {
  const folder = path.join(cacheDir, 'vrt');
  const file = path.join(folder, `${createHash('sha256').update(text).digest('hex').slice(0, 32)}.vrt`);
  if (statFile(file) !== undefined) return file;
  await mkdir(folder, { recursive: true });
  const draft = `${file}.${process.pid}-${++drafts}`;
  await writeFile(draft, text);
  await rename(draft, file);
  return file;
}
