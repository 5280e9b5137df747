<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc"
    xmlns:xlink="http://www.w3.org/1999/xlink">
  <NamedLayer>
    <Name>ne_circles</Name>
    <UserStyle>
      <Title>Equator, tropics and polar circles</Title>
      <FeatureTypeStyle>
        <Rule>
          <Title>Circle of latitude</Title>
          <MaxScaleDenominator>120000000</MaxScaleDenominator>
          <LineSymbolizer>
            <Stroke>
              <CssParameter name="stroke">#8fb3c6</CssParameter>
              <CssParameter name="stroke-width">0.9</CssParameter>
              <CssParameter name="stroke-dasharray">6 4</CssParameter>
              <CssParameter name="stroke-linejoin">round</CssParameter>
            </Stroke>
          </LineSymbolizer>
          <TextSymbolizer>
            <Label><ogc:PropertyName>name</ogc:PropertyName></Label>
            <Font>
              <CssParameter name="font-family">DejaVu Sans</CssParameter>
              <CssParameter name="font-size">10</CssParameter>
              <CssParameter name="font-style">italic</CssParameter>
              <CssParameter name="font-weight">normal</CssParameter>
            </Font>
            <LabelPlacement>
              <LinePlacement><PerpendicularOffset>6</PerpendicularOffset></LinePlacement>
            </LabelPlacement>
            <Halo>
              <Radius>1.4</Radius>
              <Fill><CssParameter name="fill">#d3e5ee</CssParameter></Fill>
            </Halo>
            <Fill><CssParameter name="fill">#6f97ac</CssParameter></Fill>
            <VendorOption name="followLine">true</VendorOption>
            <VendorOption name="group">yes</VendorOption>
            <VendorOption name="repeat">600</VendorOption>
            <VendorOption name="maxAngleDelta">25</VendorOption>
          </TextSymbolizer>
        </Rule>
        <Rule>
          <Title>Circle of latitude</Title>
          <MinScaleDenominator>120000000</MinScaleDenominator>
          <LineSymbolizer>
            <Stroke>
              <CssParameter name="stroke">#8fb3c6</CssParameter>
              <CssParameter name="stroke-width">0.8</CssParameter>
              <CssParameter name="stroke-dasharray">6 4</CssParameter>
              <CssParameter name="stroke-linejoin">round</CssParameter>
            </Stroke>
          </LineSymbolizer>
        </Rule>
      </FeatureTypeStyle>
    </UserStyle>
  </NamedLayer>
</StyledLayerDescriptor>
