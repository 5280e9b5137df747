import type { Box, Crs } from '../../crs/index.ts';
import { type Xml, xml } from '../../xml/index.ts';
import { flip, isNorthFirst } from '../common/axis-order.ts';
import type { CapabilitiesModel, LayerEntry, StyleEntry } from './capabilities.ts';
import { contactInformation, keywordList } from './capabilities-elements.ts';
import { MAP_FORMATS } from './request.ts';

/** @see OGC 06-042 (WMS 1.3.0), annex E.1; elements in the order of its schema */
export function documentStart(model: CapabilitiesModel): Xml {
  const { service, contact, url, updateSequence, root } = model;
  return xml`<?xml version="1.0" encoding="UTF-8"?>
<WMS_Capabilities version="1.3.0" updateSequence="${updateSequence}" xmlns="http://www.opengis.net/wms" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.opengis.net/wms http://schemas.opengis.net/wms/1.3.0/capabilities_1_3_0.xsd">
  <Service>
    <Name>WMS</Name>
    <Title>${service?.title ?? 'Web Map Service'}</Title>${element('Abstract', service?.abstract)}${keywordList(service?.keywords ?? [])}
    <OnlineResource xlink:type="simple" xlink:href="${service?.onlineResource ?? url}"/>${contactInformation(contact)}
    <Fees>${service?.fees ?? 'NONE'}</Fees>
    <AccessConstraints>${service?.accessConstraints ?? 'NONE'}</AccessConstraints>
  </Service>
  <Capability>
    <Request>
      <GetCapabilities>
        <Format>text/xml</Format>${dcpType(url)}
      </GetCapabilities>
      <GetMap>${MAP_FORMATS.map(
        (format) => xml`
        <Format>${format}</Format>`,
      )}${dcpType(url)}
      </GetMap>
    </Request>
    <Exception>
      <Format>XML</Format>
      <Format>INIMAGE</Format>
      <Format>BLANK</Format>
      <Format>JSON</Format>
    </Exception>
    <Layer>
      <Title>${root.title}</Title>${element('Abstract', root.abstract)}${root.crs.map(crsElement)}${geographicBox([-180, -90, 180, 90])}
      <BoundingBox CRS="CRS:84" minx="-180" miny="-90" maxx="180" maxy="90"/>`;
}

export const documentEnd = xml`
    </Layer>
  </Capability>
</WMS_Capabilities>
`;

/** @param children  the layers inside, written already */
export function layer(entry: LayerEntry, children: readonly (Xml | undefined)[] = []): Xml {
  const { geographic: g } = entry;
  // Without GetFeatureInfo no layer can be queried.
  return xml`
      <Layer queryable="0" opaque="${entry.opaque ? 1 : 0}">${element('Name', entry.name)}
        <Title>${entry.title}</Title>${element('Abstract', entry.abstract)}${keywordList(entry.keywords)}${entry.crs.map(crsElement)}${geographicBox(g)}
        <BoundingBox CRS="CRS:84" minx="${g[0]}" miny="${g[1]}" maxx="${g[2]}" maxy="${g[3]}"/>${entry.boxes.map(boundingBox)}${attribution(entry)}${entry.authorityUrls.map(
          ({ name, href }) => xml`
        <AuthorityURL name="${name}">
          <OnlineResource xlink:type="simple" xlink:href="${href}"/>
        </AuthorityURL>`,
        )}${entry.identifiers.map(
          ({ authority, identifier }) => xml`
        <Identifier authority="${authority}">${identifier}</Identifier>`,
        )}${entry.metadataLinks.map(
          ({ metadataType, type, content }) => xml`
        <MetadataURL type="${metadataType}">
          <Format>${type}</Format>
          <OnlineResource xlink:type="simple" xlink:href="${content}"/>
        </MetadataURL>`,
        )}${entry.styles.map(style)}${children}
      </Layer>`;
}

const element = (name: 'Name' | 'Abstract', text: string | undefined): Xml | undefined => {
  if (text === undefined || text === '') return undefined;
  return name === 'Name'
    ? xml`
        <Name>${text}</Name>`
    : xml`
        <Abstract>${text}</Abstract>`;
};

const crsElement = ({ code }: Crs) => xml`
        <CRS>${code}</CRS>`;

const style = ({ name, title }: StyleEntry) => xml`
        <Style>
          <Name>${name}</Name>
          <Title>${title}</Title>
        </Style>`;

const geographicBox = ([west, south, east, north]: Box) => xml`
        <EX_GeographicBoundingBox>
          <westBoundLongitude>${west}</westBoundLongitude>
          <eastBoundLongitude>${east}</eastBoundLongitude>
          <southBoundLatitude>${south}</southBoundLatitude>
          <northBoundLatitude>${north}</northBoundLatitude>
        </EX_GeographicBoundingBox>`;

function boundingBox({ crs, box }: { crs: Crs; box: Box }): Xml {
  const [minx, miny, maxx, maxy] = isNorthFirst('WMS 1.3.0', crs.code) ? flip(box) : box;
  return xml`
        <BoundingBox CRS="${crs.code}" minx="${minx}" miny="${miny}" maxx="${maxx}" maxy="${maxy}"/>`;
}

function attribution({ attribution: a }: LayerEntry): Xml | undefined {
  if (a?.title === undefined && a?.href === undefined && a?.logoUrl === undefined) return undefined;
  const logo =
    a.logoUrl !== undefined &&
    xml`
          <LogoURL width="${a.logoWidth}" height="${a.logoHeight}">
            <Format>${a.logoType ?? 'image/png'}</Format>
            <OnlineResource xlink:type="simple" xlink:href="${a.logoUrl}"/>
          </LogoURL>`;
  return xml`
        <Attribution>${
          a.title !== undefined &&
          xml`
          <Title>${a.title}</Title>`
        }${
          a.href !== undefined &&
          xml`
          <OnlineResource xlink:type="simple" xlink:href="${a.href}"/>`
        }${logo}
        </Attribution>`;
}

const dcpType = (url: string) => xml`
        <DCPType>
          <HTTP>
            <Get>
              <OnlineResource xlink:type="simple" xlink:href="${url}"/>
            </Get>
            <Post>
              <OnlineResource xlink:type="simple" xlink:href="${url}"/>
            </Post>
          </HTTP>
        </DCPType>`;
