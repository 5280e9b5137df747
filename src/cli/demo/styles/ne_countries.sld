<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc"
    xmlns:xlink="http://www.w3.org/1999/xlink">
  <NamedLayer>
    <Name>ne_countries</Name>
    <UserStyle>
      <Title>Countries, neighbours in different colours</Title>
      <FeatureTypeStyle>
        <Rule>
          <Title>Colour 1</Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>color</ogc:PropertyName><ogc:Literal>1</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#f3e3bd</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>Colour 2</Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>color</ogc:PropertyName><ogc:Literal>2</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#dfe8cb</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>Colour 3</Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>color</ogc:PropertyName><ogc:Literal>3</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#f2d5c4</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>Colour 4</Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>color</ogc:PropertyName><ogc:Literal>4</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#dcd5e6</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>Colour 5</Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>color</ogc:PropertyName><ogc:Literal>5</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#cde2d6</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>Colour 6</Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>color</ogc:PropertyName><ogc:Literal>6</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#f0dbe1</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>Ice</Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>name</ogc:PropertyName><ogc:Literal>Antarctica</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#f7f8f8</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
      </FeatureTypeStyle>
    </UserStyle>
  </NamedLayer>
</StyledLayerDescriptor>
