/** The styles that every GeoServer data directory is expected to have, by name. */

const document = (title: string, rules: string) => `<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0"
    xmlns="http://www.opengis.net/sld"
    xmlns:ogc="http://www.opengis.net/ogc"
    xmlns:xlink="http://www.w3.org/1999/xlink"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://www.opengis.net/sld http://schemas.opengis.net/sld/1.0.0/StyledLayerDescriptor.xsd">
  <NamedLayer>
    <Name>${title}</Name>
    <UserStyle>
      <Title>${title}</Title>
      <FeatureTypeStyle>
${rules}      </FeatureTypeStyle>
    </UserStyle>
  </NamedLayer>
</StyledLayerDescriptor>
`;

const rule = (title: string, symbolizer: string, condition = '') => `        <Rule>
          <Title>${title}</Title>
${condition}${symbolizer}        </Rule>
`;

const point = (color: string) => `          <PointSymbolizer>
            <Graphic>
              <Mark>
                <WellKnownName>square</WellKnownName>
                <Fill>
                  <CssParameter name="fill">${color}</CssParameter>
                </Fill>
              </Mark>
              <Size>6</Size>
            </Graphic>
          </PointSymbolizer>
`;

const line = (color: string) => `          <LineSymbolizer>
            <Stroke>
              <CssParameter name="stroke">${color}</CssParameter>
            </Stroke>
          </LineSymbolizer>
`;

const polygon = (fill: string) => `          <PolygonSymbolizer>
            <Fill>
              <CssParameter name="fill">${fill}</CssParameter>
            </Fill>
            <Stroke>
              <CssParameter name="stroke">#000000</CssParameter>
              <CssParameter name="stroke-width">1</CssParameter>
            </Stroke>
          </PolygonSymbolizer>
`;

const raster = `          <RasterSymbolizer>
            <Opacity>1.0</Opacity>
          </RasterSymbolizer>
`;

/** A condition on what a function without arguments, or of the geometry, says. */
const when = (name: string, value: string) => `          <ogc:Filter>
            <ogc:PropertyIsEqualTo>
              <ogc:Function name="${name}">${name === 'dimension' ? '<ogc:Function name="geometry"/>' : ''}</ogc:Function>
              <ogc:Literal>${value}</ogc:Literal>
            </ogc:PropertyIsEqualTo>
          </ogc:Filter>
`;

const otherwise = '          <ElseFilter/>\n';

/** Bodies in SLD 1.0.0. `generic` suits whatever it meets. */
export const DEFAULT_STYLES = {
  point: document('Red square', rule('Red square', point('#FF0000'))),
  line: document('Blue line', rule('Blue line', line('#0000FF'))),
  polygon: document('Gray polygon', rule('Gray polygon', polygon('#AAAAAA'))),
  raster: document('Raster', rule('Raster', raster)),
  generic: document(
    'Generic',
    rule('Raster', raster, when('isCoverage', 'true')) +
      rule('Polygon', polygon('#AAAAAA'), when('dimension', '2')) +
      rule('Line', line('#0000FF'), when('dimension', '1')) +
      rule('Point', point('#FF0000'), otherwise),
  ),
} as const satisfies Record<string, string>;
