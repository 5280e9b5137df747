import type { Box, Crs } from '../../crs/index.ts';
import { type Xml, xml } from '../../xml/index.ts';
import type { CapabilitiesModel, LayerEntry, StyleEntry } from './capabilities.ts';
import { contactInformation, keywordList } from './capabilities-elements.ts';
import { MAP_FORMATS } from './request.ts';

/** @see OGC 01-068r3 (WMS 1.1.1), A.1; elements in the order of its DTD */
export function documentStart(model: CapabilitiesModel): Xml {
  const { service, contact, url, updateSequence, root } = model;
  return xml`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE WMT_MS_Capabilities SYSTEM "http://schemas.opengis.net/wms/1.1.1/WMS_MS_Capabilities.dtd">
<WMT_MS_Capabilities version="1.1.1" updateSequence="${updateSequence}">
  <Service>
    <Name>OGC:WMS</Name>
    <Title>${service?.title ?? 'Web Map Service'}</Title>${abstract(service?.abstract)}${keywordList(service?.keywords ?? [])}
    <OnlineResource xmlns:xlink="http://www.w3.org/1999/xlink" xlink:type="simple" xlink:href="${service?.onlineResource ?? url}"/>${contactInformation(contact)}
    <Fees>${service?.fees ?? 'NONE'}</Fees>
    <AccessConstraints>${service?.accessConstraints ?? 'NONE'}</AccessConstraints>
  </Service>
  <Capability>
    <Request>
      <GetCapabilities>
        <Format>application/vnd.ogc.wms_xml</Format>${dcpType(url)}
      </GetCapabilities>
      <GetMap>${MAP_FORMATS.map(
        (format) => xml`
        <Format>${format}</Format>`,
      )}${dcpType(url)}
      </GetMap>
    </Request>
    <Exception>
      <Format>application/vnd.ogc.se_xml</Format>
      <Format>application/vnd.ogc.se_inimage</Format>
      <Format>application/vnd.ogc.se_blank</Format>
      <Format>application/json</Format>
    </Exception>
    <UserDefinedSymbolization SupportSLD="1" UserLayer="0" UserStyle="1" RemoteWFS="0"/>
    <Layer>
      <Title>${root.title}</Title>${abstract(root.abstract)}${root.crs.map(srs)}${latLonBoundingBox([-180, -90, 180, 90])}`;
}

export const documentEnd = xml`
    </Layer>
  </Capability>
</WMT_MS_Capabilities>
`;

/** @param children  the layers inside, written already */
export function layer(entry: LayerEntry, children: readonly (Xml | undefined)[] = []): Xml {
  // Without GetFeatureInfo no layer can be queried.
  return xml`
      <Layer queryable="0" opaque="${entry.opaque ? 1 : 0}">${
        entry.name !== undefined &&
        xml`
        <Name>${entry.name}</Name>`
      }
        <Title>${entry.title}</Title>${abstract(entry.abstract)}${keywordList(entry.keywords)}${entry.crs.map(srs)}${latLonBoundingBox(entry.geographic)}${entry.boxes.map(boundingBox)}${attribution(entry)}${entry.authorityUrls.map(
          ({ name, href }) => xml`
        <AuthorityURL name="${name}">${onlineResource(href)}
        </AuthorityURL>`,
        )}${entry.identifiers.map(
          ({ authority, identifier }) => xml`
        <Identifier authority="${authority}">${identifier}</Identifier>`,
        )}${entry.metadataLinks.map(
          ({ metadataType, type, content }) => xml`
        <MetadataURL type="${metadataType}">
          <Format>${type}</Format>${onlineResource(content)}
        </MetadataURL>`,
        )}${entry.styles.map(style)}${children}
      </Layer>`;
}

const onlineResource = (href: string) => xml`
          <OnlineResource xmlns:xlink="http://www.w3.org/1999/xlink" xlink:type="simple" xlink:href="${href}"/>`;

const abstract = (text: string | undefined): Xml | undefined =>
  text === undefined || text === ''
    ? undefined
    : xml`
        <Abstract>${text}</Abstract>`;

// The longitude-first codes are younger than this version.
const srs = ({ code }: Crs): Xml | undefined =>
  code.startsWith('CRS:')
    ? undefined
    : xml`
        <SRS>${code}</SRS>`;

const style = ({ name, title }: StyleEntry) => xml`
        <Style>
          <Name>${name}</Name>
          <Title>${title}</Title>
        </Style>`;

const latLonBoundingBox = ([minx, miny, maxx, maxy]: Box) => xml`
        <LatLonBoundingBox minx="${minx}" miny="${miny}" maxx="${maxx}" maxy="${maxy}"/>`;

const boundingBox = ({ crs, box: [minx, miny, maxx, maxy] }: { crs: Crs; box: Box }): Xml | undefined =>
  crs.code.startsWith('CRS:')
    ? undefined
    : xml`
        <BoundingBox SRS="${crs.code}" minx="${minx}" miny="${miny}" maxx="${maxx}" maxy="${maxy}"/>`;

function attribution({ attribution: a }: LayerEntry): Xml | undefined {
  if (a?.title === undefined && a?.href === undefined && a?.logoUrl === undefined) return undefined;
  const logo =
    a.logoUrl !== undefined &&
    xml`
          <LogoURL width="${a.logoWidth}" height="${a.logoHeight}">
            <Format>${a.logoType ?? 'image/png'}</Format>${onlineResource(a.logoUrl)}
          </LogoURL>`;
  return xml`
        <Attribution>${
          a.title !== undefined &&
          xml`
          <Title>${a.title}</Title>`
        }${a.href !== undefined && onlineResource(a.href)}${logo}
        </Attribution>`;
}

const dcpType = (url: string) => xml`
        <DCPType>
          <HTTP>
            <Get>${onlineResource(url)}
            </Get>
            <Post>${onlineResource(url)}
            </Post>
          </HTTP>
        </DCPType>`;
