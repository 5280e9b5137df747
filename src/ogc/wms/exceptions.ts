import { type Xml, xml } from '../../xml/index.ts';
import type { OgcException } from '../common/exceptions.ts';
import type { WmsVersion } from './request.ts';

export interface ExceptionDocument {
  readonly contentType: string;
  readonly body: string;
}

const locatorOf = ({ locator }: OgcException): Xml | undefined =>
  locator === undefined ? undefined : xml` locator="${locator}"`;

// The code is left out where the standard has none: it knows none for 'anything else'.
const codeOf = ({ code }: OgcException): Xml | undefined =>
  code === 'NoApplicableCode' ? undefined : xml` code="${code}"`;

/** @see OGC 01-068r3 (WMS 1.1.1), A.2 */
function report111(exception: OgcException): Xml {
  return xml`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ServiceExceptionReport SYSTEM "http://schemas.opengis.net/wms/1.1.1/WMS_exception_1_1_1.dtd">
<ServiceExceptionReport version="1.1.1">
  <ServiceException${codeOf(exception)}${locatorOf(exception)}>${exception.message}</ServiceException>
</ServiceExceptionReport>
`;
}

/** @see OGC 06-042 (WMS 1.3.0), E.2 */
function report130(exception: OgcException): Xml {
  return xml`<?xml version="1.0" encoding="UTF-8"?>
<ServiceExceptionReport version="1.3.0" xmlns="http://www.opengis.net/ogc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.opengis.net/ogc http://schemas.opengis.net/wms/1.3.0/exceptions_1_3_0.xsd">
  <ServiceException${codeOf(exception)}${locatorOf(exception)}>${exception.message}</ServiceException>
</ServiceExceptionReport>
`;
}

/** GeoServer's form of an exception for programs. */
function reportJson(exception: OgcException, version: WmsVersion): string {
  const entry = { code: exception.code, locator: exception.locator ?? 'noLocator', text: exception.message };
  return JSON.stringify({ version, exceptions: [entry] });
}

/** Writes an exception as a document. Pictures are made where maps are. */
export function exceptionDocument(
  exception: OgcException,
  version: WmsVersion,
  format: 'xml' | 'json',
): ExceptionDocument {
  if (format === 'json') return { contentType: 'application/json', body: reportJson(exception, version) };
  return version === '1.3.0'
    ? { contentType: 'text/xml;charset=UTF-8', body: report130(exception).text }
    : { contentType: 'application/vnd.ogc.se_xml;charset=UTF-8', body: report111(exception).text };
}
