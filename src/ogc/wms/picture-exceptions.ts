import { createHash } from 'node:crypto';
import type { MapLayer, Renderer, StyleBody } from '../../render/index.ts';
import { count, optional, type Parameters, readParameter } from '../common/parameters.ts';
import { MAP_FORMATS, type MapFormat, mapFormatOf } from './request.ts';

/** Largest picture of an exception, in pixels a side: whoever asks for nonsense gets no big picture for it. */
const SIDE_MAX = 4096;

const SIZE = {
  width: optional('WIDTH', count, 512, 'InvalidParameterValue', 'a whole number'),
  height: optional('HEIGHT', count, 512, 'InvalidParameterValue', 'a whole number'),
};

/**
 * An exception as a picture of the size and format that was asked for: with the text in it, or blank. 1.3.0 wants no more (OGC 06-042, 7.3.3.11).
 *
 * @returns undefined when no picture can be made: the caller then answers with a document
 */
export async function exceptionPicture(
  message: string | undefined,
  parameters: Parameters,
  renderer: Renderer,
): Promise<{ format: MapFormat; bytes: Uint8Array } | undefined> {
  try {
    const width = Math.min(readParameter(SIZE.width, parameters), SIDE_MAX);
    const height = Math.min(readParameter(SIZE.height, parameters), SIDE_MAX);
    const format = mapFormatOf(parameters.get('FORMAT') ?? '') ?? mapFormatOf(MAP_FORMATS[0])!;
    const transparent = /^true$/i.test(parameters.get('TRANSPARENT') ?? '') && format.format !== 'image/jpeg';
    const picture = await renderer.draw({
      width,
      height,
      box: [0, 0, width, height],
      crs: 'EPSG:3857',
      layers: message === undefined ? [] : [textLayer(message, width, height)],
      ...(!transparent && { background: '#ffffff' }),
      format: format.format,
      timeoutMs: 5_000,
    });
    return { format, bytes: picture.bytes };
  } catch {
    return undefined;
  }
}

const LINE_PX = 16;
const LETTER_PX = 6.5;

/** The text as a layer of labels, one for each line, from the top left. */
function textLayer(message: string, width: number, height: number): MapLayer {
  const rows = wrap(message, Math.max(8, Math.floor((width - 16) / LETTER_PX))).slice(
    0,
    Math.max(1, Math.floor(height / LINE_PX)),
  );
  const csv = rows.map((row, i) => `8,${height - LINE_PX * (i + 0.75)},"${row.replaceAll('"', "'")}"`);
  return {
    name: 'exception',
    source: {
      kind: 'vector',
      parameters: { type: 'csv', inline: ['x,y,message', ...csv].join('\n') },
      srs: 'epsg:3857',
      version: '1',
      attributes: [{ name: 'message', type: 'string', nillable: false }],
    },
    style: TEXT_STYLE,
  };
}

/** Breaks a text into lines at blanks; words that are too long are cut. */
function wrap(message: string, letters: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of message.split(/\s+/).flatMap((word) => word.match(new RegExp(`.{1,${letters}}`, 'gsu')) ?? [])) {
    if (line !== '' && line.length + 1 + word.length > letters) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const TEXT_SLD = `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc">
  <NamedLayer><Name>exception</Name><UserStyle><FeatureTypeStyle><Rule><TextSymbolizer>
    <Label><ogc:PropertyName>message</ogc:PropertyName></Label>
    <Font><CssParameter name="font-family">SansSerif</CssParameter><CssParameter name="font-size">12</CssParameter></Font>
    <LabelPlacement><PointPlacement><AnchorPoint><AnchorPointX>0</AnchorPointX><AnchorPointY>0.5</AnchorPointY></AnchorPoint></PointPlacement></LabelPlacement>
    <Fill><CssParameter name="fill">#b00000</CssParameter></Fill>
    <VendorOption name="partials">true</VendorOption><VendorOption name="conflictResolution">false</VendorOption>
  </TextSymbolizer></Rule></FeatureTypeStyle></UserStyle></NamedLayer>
</StyledLayerDescriptor>`;

const TEXT_STYLE: StyleBody = {
  hash: createHash('sha256').update(TEXT_SLD).digest('hex'),
  format: 'sld',
  bytes: Buffer.from(TEXT_SLD),
  read: () => undefined,
};
