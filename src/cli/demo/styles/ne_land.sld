<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc"
    xmlns:xlink="http://www.w3.org/1999/xlink">
  <NamedLayer>
    <Name>ne_land</Name>
    <UserStyle>
      <Title>Land</Title>
      <FeatureTypeStyle>
        <Rule>
          <Title>Land</Title>
          <PolygonSymbolizer>
            <Fill><CssParameter name="fill">#f4efe4</CssParameter></Fill>
          </PolygonSymbolizer>
        </Rule>
      </FeatureTypeStyle>
    </UserStyle>
  </NamedLayer>
</StyledLayerDescriptor>
