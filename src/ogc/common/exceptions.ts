/**
 * Codes of OGC exceptions: what they mean, and the standard that has them. What a client gets beside the code (document, media type,
 * HTTP status) is the business of each service and version.
 */
export const EXCEPTION_CODES = {
  // WMS 1.1.1 (OGC 01-068r3, A.3) and 1.3.0 (OGC 06-042, E.2)
  InvalidFormat: 'the format is not offered',
  InvalidSRS: 'the SRS is not offered (WMS 1.1.1)',
  InvalidCRS: 'the CRS is not offered (WMS 1.3.0)',
  LayerNotDefined: 'no such layer',
  StyleNotDefined: 'no such style',
  CurrentUpdateSequence: 'the client has the newest capabilities already',
  InvalidUpdateSequence: 'the client claims capabilities newer than the newest',
  OperationNotSupported: 'the operation is not offered',
  // OWS Common (OGC 06-121r9, table 27), which GeoServer uses in WMS as well
  MissingParameterValue: 'a parameter that must be there is not',
  InvalidParameterValue: 'a parameter has a value that it may not have',
  NoApplicableCode: 'anything else',
} as const;

export type ExceptionCode = keyof typeof EXCEPTION_CODES;

/** What a client is told when its request cannot be served. Thrown inside, written by the service and version that was asked. */
export class OgcException extends Error {
  readonly code: ExceptionCode;
  /** Parameter that is at fault, in lower case. */
  readonly locator: string | undefined;
  /** HTTP status where it is not the service's usual one. */
  readonly status: number | undefined;

  constructor(
    code: ExceptionCode,
    message: string,
    options?: ErrorOptions & { readonly locator?: string; readonly status?: number },
  ) {
    super(message, options);
    this.name = 'OgcException';
    this.code = code;
    this.locator = options?.locator;
    this.status = options?.status;
  }
}
