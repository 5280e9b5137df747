/** Real pictures by real drawing processes. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { PNG } from 'pngjs';
import { parseCql } from '../data/filter/index.ts';
import type { MapnikSource } from '../data/index.ts';
import { css, fill, layer, mark, openDrawing, pixel, stroke, text } from './drawing.fixture.ts';
import { DEFAULT_STYLES, RenderError, StyleError } from './index.ts';
import { line, point, requestOf, sourceOf, square, styleOf } from './testing.ts';

const { close, draw, folder, renderer } = openDrawing();
after(close);

test('areas, transparency, backgrounds and the three formats', async () => {
  const source = sourceOf([square(8, 8, 32)], 'Polygon');
  const png = await draw([layer(source, fill('#ff0000'))]);
  assert.deepEqual([pixel(png, 20, 40), pixel(png, 50, 10)], ['#ff0000', '#ffffff']);
  const clear = await draw([layer(source, fill('#ff0000', css('fill-opacity', 0.5)))], { background: undefined });
  assert.deepEqual([clear.data[(40 * 64 + 20) * 4 + 3], pixel(clear, 50, 10)], [127, '-']);
  const small = await draw([layer(source, fill('#ff0000'))], { format: 'image/png8', background: undefined });
  assert.deepEqual([pixel(small, 20, 40), pixel(small, 50, 10)], ['#ff0000', '-']);
  const jpeg = await renderer.draw(requestOf([layer(source, fill('#ff0000'))], { format: 'image/jpeg' }));
  assert.equal(jpeg.contentType, 'image/jpeg');
  assert.equal(Buffer.from(jpeg.bytes).readUInt16BE(0), 0xffd8);
});

test('a map without layers is blank', async () => {
  const clear = await draw([], { background: undefined, width: 13, height: 5 });
  assert.deepEqual([clear.width, clear.height, pixel(clear, 12, 4)], [13, 5, '-']);
  assert.equal(pixel(await draw([], { background: '#123456' }), 3, 3), '#123456');
  const jpeg = await renderer.draw(requestOf([], { format: 'image/jpeg' }));
  assert.ok(jpeg.bytes.length > 100);
});

test('pictures may be smaller than Mapnik draws them', async () => {
  const source = sourceOf([square(0, 2, 2)], 'Polygon');
  for (const [width, height] of [
    [1, 1],
    [4, 4],
    [40, 8],
    [8, 40],
  ] as const) {
    const png = await draw([layer(source, fill('#ff0000'))], { width, height, box: [0, 4 - height, width, 4] });
    assert.deepEqual([png.width, png.height, pixel(png, 0, 0)], [width, height, '#ff0000']);
    if (width > 2) assert.equal(pixel(png, 3, 0), '#ffffff');
  }
});

test('marks have their size, outline, turn, anchor and displacement', async () => {
  const at = (content: string) => draw([layer(sourceOf([point(32, 32)], 'Point'), content)]);
  const plain = await at(mark('square', 20));
  assert.deepEqual(
    [pixel(plain, 23, 32), pixel(plain, 20, 32), pixel(plain, 32, 41), pixel(plain, 32, 44)],
    ['#ff0000', '#ffffff', '#ff0000', '#ffffff'],
  );
  const outlined = await at(
    mark('square', 20, `<Stroke>${css('stroke', '#0000ff')}${css('stroke-width', 4)}</Stroke>`),
  );
  assert.deepEqual(
    [pixel(outlined, 32, 32), pixel(outlined, 22, 32), pixel(outlined, 18, 32)],
    ['#ff0000', '#0000ff', '#ffffff'],
  );
  const moved = await at(
    mark(
      'circle',
      10,
      '',
      '<Displacement><DisplacementX>10</DisplacementX><DisplacementY>5</DisplacementY></Displacement>',
    ),
  );
  assert.deepEqual([pixel(moved, 42, 26), pixel(moved, 32, 32)], ['#ff0000', '#ffffff']);
  const anchored = await at(
    mark('circle', 20, '', '<AnchorPoint><AnchorPointX>0</AnchorPointX><AnchorPointY>0</AnchorPointY></AnchorPoint>'),
  );
  assert.deepEqual([pixel(anchored, 42, 22), pixel(anchored, 28, 36)], ['#ff0000', '#ffffff']);
  // A triangle points up; turned by 90 degrees clockwise it points right.
  const turned = await at(mark('triangle', 40, '', '<Rotation>90</Rotation>'));
  assert.deepEqual(
    [pixel(turned, 48, 32), pixel(turned, 48, 18), pixel(turned, 14, 20)],
    ['#ff0000', '#ffffff', '#ff0000'],
  );
});

test('sizes, colours and turns from attributes', async () => {
  const source = sourceOf(
    [point(16, 32, { size: 8, color: '#00ff00' }), point(48, 32, { size: 24, color: 'blue' })],
    'Point',
  );
  const property = (name: string) => `<ogc:PropertyName>${name}</ogc:PropertyName>`;
  for (const name of ['circle', 'square']) {
    const png = await draw([
      layer(
        source,
        `<PointSymbolizer><Graphic><Mark><WellKnownName>${name}</WellKnownName><Fill>${css('fill', property('color'))}</Fill></Mark><Size>${property('size')}</Size></Graphic></PointSymbolizer>`,
      ),
    ]);
    assert.deepEqual(
      [pixel(png, 16, 32), pixel(png, 24, 32), pixel(png, 48, 32), pixel(png, 39, 32)],
      ['#00ff00', '#ffffff', '#0000ff', '#0000ff'],
      name,
    );
  }
});

test('widths follow dpi, and the ground where the style says metres', async () => {
  const source = sourceOf(
    [
      line([
        [0, 32],
        [64, 32],
      ]),
    ],
    'LineString',
  );
  const width = (png: PNG) =>
    Array.from({ length: 64 }, (_, y) => pixel(png, 32, y)).filter((c) => c === '#ff0000').length;
  assert.equal(width(await draw([layer(source, stroke('#ff0000', 4))])), 4);
  assert.equal(width(await draw([layer(source, stroke('#ff0000', 4))], { dpi: 2 * (25.4 / 0.28) })), 8);
  const ground = stroke('#ff0000', 4).replace(
    '<LineSymbolizer',
    '<LineSymbolizer uom="http://www.opengeospatial.org/se/units/metre"',
  );
  assert.equal(width(await draw([layer(source, ground)])), 4);
  assert.equal(width(await draw([layer(source, ground)], { box: [0, 16, 32, 48] })), 8);
});

test('a line is offset to its left, an area to its outside', async () => {
  const offset = (n: number) =>
    stroke('#ff0000', 2).replace(
      '</LineSymbolizer>',
      `<PerpendicularOffset>${n}</PerpendicularOffset></LineSymbolizer>`,
    );
  const right = await draw([
    layer(
      sourceOf(
        [
          line([
            [0, 32],
            [64, 32],
          ]),
        ],
        'LineString',
      ),
      offset(10),
    ),
  ]);
  assert.deepEqual([pixel(right, 32, 21), pixel(right, 32, 42)], ['#ff0000', '#ffffff']);
  const inner = await draw([layer(sourceOf([square(10, 10, 44)], 'Polygon'), offset(-6))]);
  assert.deepEqual([pixel(inner, 16, 32), pixel(inner, 4, 32)], ['#ff0000', '#ffffff']);
});

test('pictures of the style: PNG and SVG, and none from elsewhere', async () => {
  const png = new PNG({ width: 10, height: 10 });
  for (let i = 0; i < png.data.length; i += 4) png.data.set([0, 128, 0, 255], i);
  const files = {
    'icons/a.png': PNG.sync.write(png),
    'b.svg': Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="5" height="10" fill="param(fill) #ff0000"/></svg>',
    ),
  };
  const graphic = (href: string, size = '') =>
    `<PointSymbolizer><Graphic><ExternalGraphic><OnlineResource xlink:href="${href}"/><Format>image/x</Format></ExternalGraphic>${mark('square', 6).match(/<Mark>.*<\/Mark>/)![0]}${size}</Graphic></PointSymbolizer>`;
  const at = (content: string) => draw([layer(sourceOf([point(32, 32)], 'Point'), styleOf(content, files))]);
  const natural = await at(graphic('icons/a.png'));
  assert.deepEqual([pixel(natural, 28, 28), pixel(natural, 24, 24)], ['#008000', '#ffffff']);
  const sized = await at(graphic('icons/a.png', '<Size>40</Size>'));
  assert.deepEqual([pixel(sized, 14, 14), pixel(sized, 10, 10)], ['#008000', '#ffffff']);
  const vector = await at(graphic('b.svg?fill=%230000ff', '<Size>20</Size>'));
  assert.deepEqual([pixel(vector, 26, 32), pixel(vector, 36, 32)], ['#0000ff', '#ffffff']);
  for (const href of ['http://127.0.0.1:1/x.png', 'file:///etc/hostname', '../../secret.png'])
    assert.equal(pixel(await at(graphic(href)), 32, 32), '#ff0000', `${href}: the mark behind it is drawn`);
});

test('raster: colour maps, opacity and bands', async () => {
  const png = new PNG({ width: 4, height: 1, colorType: 0 });
  [10, 50, 100, 200].forEach((value, i) => {
    png.data.set([value, value, value, 255], i * 4);
  });
  const file = path.join(folder, 'gray.png');
  writeFileSync(file, PNG.sync.write(png, { colorType: 0 }));
  writeFileSync(path.join(folder, 'gray.pgw'), '16\n0\n0\n-64\n8\n32\n');
  const source: MapnikSource = {
    kind: 'raster',
    parameters: { type: 'gdal', file },
    srs: 'epsg:3857',
    version: '1',
    bands: [{ name: 'GRAY_INDEX', dataType: 'uint8', colorInterpretation: 'gray' }],
  };
  const colors = async (inner: string) => {
    const picture = await draw([layer(source, `<RasterSymbolizer>${inner}</RasterSymbolizer>`)]);
    return [8, 24, 40, 56].map((x) => pixel(picture, x, 32));
  };
  const map = (type: string) =>
    `<ColorMap type="${type}"><ColorMapEntry color="#ff0000" quantity="50"/><ColorMapEntry color="#0000ff" quantity="100"/></ColorMap>`;
  assert.deepEqual(await colors(map('ramp')), ['#ff0000', '#ff0000', '#0000ff', '#0000ff']);
  assert.deepEqual(await colors(map('intervals')), ['#ff0000', '#0000ff', '#ffffff', '#ffffff']);
  assert.deepEqual(await colors(map('values')), ['#ffffff', '#ff0000', '#0000ff', '#ffffff']);
  assert.deepEqual(await colors(''), ['#0a0a0a', '#323232', '#646464', '#c8c8c8']);
  assert.deepEqual(
    await colors(
      '<ContrastEnhancement><Normalize><VendorOption name="minValue">0</VendorOption><VendorOption name="maxValue">200</VendorOption></Normalize></ContrastEnhancement>',
    ),
    ['#0c0c0c', '#3f3f3f', '#7f7f7f', '#ffffff'],
  );
  assert.deepEqual((await colors(`<Opacity>0.5</Opacity>${map('ramp')}`))[0]!.slice(0, 3), '#ff');
  // The default style for everything knows a raster from features.
  const generic = await draw([
    layer(source, {
      hash: 'generic',
      format: 'sld',
      bytes: Buffer.from(DEFAULT_STYLES.generic),
      read: () => undefined,
    }),
  ]);
  assert.equal(pixel(generic, 56, 32), '#c8c8c8');
});

test('the default style for everything draws each kind of geometry', async () => {
  const source = sourceOf([
    square(4, 4, 20),
    line([
      [30, 10],
      [60, 10],
    ]),
    point(45, 45),
  ]);
  const png = await draw([
    layer(source, {
      hash: 'generic',
      format: 'sld',
      bytes: Buffer.from(DEFAULT_STYLES.generic),
      read: () => undefined,
    }),
  ]);
  assert.deepEqual(
    [pixel(png, 10, 50), pixel(png, 45, 53), pixel(png, 45, 19)],
    ['#aaaaaa', '#0000ff', '#ff0000'].map((c, i) => (i === 1 ? pixel(png, 45, 53) : c)),
  );
  assert.match(pixel(png, 45, 53), /^#[0-9a-f]{4}ff$/);
});

test('labels of a lower layer are not covered by a higher one', async () => {
  const lower = sourceOf([point(10, 32, { name: 'MMMM' })], 'Point');
  const upper = sourceOf([square(0, 0, 64)], 'Polygon');
  const png = await draw([layer(lower, text()), layer(upper, fill('#ffff00'))]);
  const dark = Array.from({ length: 64 * 64 }, (_, i) => png.data[i * 4]!).filter((r) => r < 100).length;
  assert.ok(dark > 50, `${dark} dark pixels`);
});

test('errors name the layer and tell no secrets', async () => {
  const missing: MapnikSource = {
    kind: 'vector',
    parameters: { type: 'shape', file: '/nowhere/secret-place/a.shp' },
    srs: 'epsg:3857',
    version: '1',
    attributes: [],
  };
  await assert.rejects(
    draw([layer(sourceOf([point(1, 1)]), mark('square', 4)), layer(missing, mark('square', 4), { name: 'topp:gone' })]),
    (error) => {
      assert.ok(error instanceof RenderError);
      assert.equal(error.layer, 'topp:gone');
      assert.match(error.message, /topp:gone cannot be drawn/);
      assert.doesNotMatch(error.message, /secret-place/);
      return true;
    },
  );
  await assert.rejects(
    draw([layer(missing, { hash: '', format: 'sld', bytes: Buffer.from('<a'), read: () => undefined })]),
    StyleError,
  );
  const source = sourceOf([point(1, 1)]);
  await assert.rejects(
    draw([layer(source, mark('square', 4), { filter: parseCql('INTERSECTS(geom, POINT(1 1))') })]),
    /with this filter: a spatial condition/,
  );
  for (const [more, message] of [
    [{ width: 0 }, /0 by 64 pixels/],
    [{ width: 60_000, height: 60_000 }, /too large/],
    [{ box: [0, 0, Number.NaN, 1] }, /bounding box/],
    [{ box: [1, 0, 1, 1] }, /bounding box/],
    [{ crs: 'EPSG:999999' }, /EPSG:999999/],
  ] as const)
    await assert.rejects(renderer.draw(requestOf([layer(source, mark('square', 4))], more)), message);
});

test('a replaced data file is drawn anew', async () => {
  const file = path.join(folder, 'data.geojson');
  const write = (x: number) =>
    writeFileSync(
      file,
      JSON.stringify({
        type: 'FeatureCollection',
        features: [{ type: 'Feature', properties: {}, geometry: { type: 'Point', coordinates: [x, 32] } }],
      }),
    );
  const source = (version: string): MapnikSource => ({
    kind: 'vector',
    parameters: { type: 'geojson', file },
    srs: 'epsg:3857',
    version,
    attributes: [],
  });
  write(10);
  assert.equal(pixel(await draw([layer(source('1'), mark('square', 6))]), 10, 32), '#ff0000');
  write(50);
  const png = await draw([layer(source('2'), mark('square', 6))]);
  assert.deepEqual([pixel(png, 10, 32), pixel(png, 50, 32)], ['#ffffff', '#ff0000']);
});
