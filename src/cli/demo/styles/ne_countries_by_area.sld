<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc"
    xmlns:xlink="http://www.w3.org/1999/xlink">
  <NamedLayer>
    <Name>ne_countries_by_area</Name>
    <UserStyle>
      <Title>Countries by area</Title>
      <FeatureTypeStyle>
        <Rule>
          <Title>below 50 000 km²</Title>
          <ogc:Filter><ogc:PropertyIsLessThan><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>50000</ogc:Literal></ogc:PropertyIsLessThan></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#fbf3dd</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>50 000 to 250 000 km²</Title>
          <ogc:Filter><ogc:And><ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>50000</ogc:Literal></ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyIsLessThan><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>250000</ogc:Literal></ogc:PropertyIsLessThan></ogc:And></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#f3dcae</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>250 000 to 750 000 km²</Title>
          <ogc:Filter><ogc:And><ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>250000</ogc:Literal></ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyIsLessThan><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>750000</ogc:Literal></ogc:PropertyIsLessThan></ogc:And></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#e6bd7f</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>750 000 to 2 000 000 km²</Title>
          <ogc:Filter><ogc:And><ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>750000</ogc:Literal></ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyIsLessThan><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>2000000</ogc:Literal></ogc:PropertyIsLessThan></ogc:And></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#cf955c</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>2 000 000 to 5 000 000 km²</Title>
          <ogc:Filter><ogc:And><ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>2000000</ogc:Literal></ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyIsLessThan><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>5000000</ogc:Literal></ogc:PropertyIsLessThan></ogc:And></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#ab6b45</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
        <Rule>
          <Title>5 000 000 km² and more</Title>
          <ogc:Filter><ogc:PropertyIsGreaterThanOrEqualTo><ogc:PropertyName>areakm2</ogc:PropertyName><ogc:Literal>5000000</ogc:Literal></ogc:PropertyIsGreaterThanOrEqualTo></ogc:Filter>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#7d4632</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
      </FeatureTypeStyle>
    </UserStyle>
  </NamedLayer>
</StyledLayerDescriptor>
