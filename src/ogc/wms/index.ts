import { messageOf } from '../../base/index.ts';
import { OgcException } from '../common/exceptions.ts';
import type { Parameters } from '../common/parameters.ts';
import { resolveScope, type ServiceScope, serviceSettings } from '../common/service-scope.ts';
import { OGC_LIMITS, type OgcDependencies, type OgcLimits } from '../dependencies.ts';
import { CapabilitiesShelf } from './capabilities-shelf.ts';
import { exceptionDocument } from './exceptions.ts';
import { getMap } from './get-map.ts';
import { exceptionPicture } from './picture-exceptions.ts';
import { exceptionFormatOf, readGetMap, versionOf, type WmsVersion } from './request.ts';
import { SourceShelf } from './sources.ts';
import { StyleShelf } from './styles.ts';

export { pairsOfXml } from './post.ts';

/** A request to WMS, whatever it came by. */
export interface WmsRequest {
  readonly parameters: Parameters;
  /** Names in the path. */
  readonly workspace?: string | undefined;
  readonly layer?: string | undefined;
  /** Of the server as the client sees it, with the context path. */
  readonly baseUrl: string;
  readonly acceptsGzip: boolean;
}

export interface WmsAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array | string;
  readonly encoding?: 'gzip';
  /** Code of the exception that the answer tells; absent for any other answer. */
  readonly exception?: string;
}

/** Operations of the standard and its SLD profile that are not offered: known, so that the answer can say so. */
const NOT_OFFERED = ['GetFeatureInfo', 'DescribeLayer', 'GetLegendGraphic', 'GetStyles', 'PutStyles'];

/** The Web Map Service over the catalog of a node. */
export class WmsService {
  readonly #deps: OgcDependencies;
  readonly #limits: OgcLimits;
  readonly #styles: StyleShelf;
  readonly #sources: SourceShelf;
  readonly #capabilities: CapabilitiesShelf;

  constructor(deps: OgcDependencies) {
    const view = deps.node.catalog;
    this.#deps = deps;
    this.#limits = { ...OGC_LIMITS, ...deps.limits };
    this.#styles = new StyleShelf(view);
    this.#sources = new SourceShelf(deps.node, deps.data);
    this.#capabilities = new CapabilitiesShelf({
      view,
      logger: deps.logger,
      bytesMax: this.#limits.capabilitiesBytesMax,
    });
  }

  /** Answers a request; what is wrong with it is an answer, too. */
  async handle(request: WmsRequest, signal: AbortSignal): Promise<WmsAnswer> {
    try {
      return await this.#operation(request, signal);
    } catch (error) {
      return this.#exception(error, request, signal);
    }
  }

  async #operation(request: WmsRequest, signal: AbortSignal): Promise<WmsAnswer> {
    const { parameters } = request;
    const scope = resolveScope(this.#deps.node.catalog, request);
    if (serviceSettings(this.#deps.node.catalog, scope, 'wms')?.enabled === false)
      throw new OgcException('NoApplicableCode', 'the Web Map Service is turned off here');
    const service = parameters.get('SERVICE');
    if (service !== undefined && service.trim().toUpperCase() !== 'WMS')
      throw new OgcException('InvalidParameterValue', `SERVICE must be WMS here, not ${service}`, {
        locator: 'service',
      });
    switch (operationOf(parameters)) {
      case 'GetCapabilities':
        return this.#getCapabilities(request, scope);
      case 'GetMap': {
        const tools = { deps: this.#deps, limits: this.#limits, styles: this.#styles, sources: this.#sources };
        const { contentType, bytes } = await getMap(
          readGetMap(parameters, versionOf(parameters, 'GetMap')),
          scope,
          tools,
          signal,
        );
        return { status: 200, contentType, body: bytes };
      }
    }
  }

  async #getCapabilities({ parameters, baseUrl, acceptsGzip }: WmsRequest, scope: ServiceScope): Promise<WmsAnswer> {
    const version = versionOf(parameters, 'GetCapabilities');
    const { position } = this.#deps.node;
    checkUpdateSequence(parameters.get('UPDATESEQUENCE'), position);
    const namespace = parameters.get('NAMESPACE')?.trim() || undefined;
    const edition = { version, scope, baseUrl, ...(namespace !== undefined && { namespace }) };
    const document = this.#capabilities.get(edition, position);
    const contentType = version === '1.3.0' ? 'text/xml;charset=UTF-8' : 'application/vnd.ogc.wms_xml;charset=UTF-8';
    if (!acceptsGzip) return { status: 200, contentType, body: document.plain };
    return { status: 200, contentType, body: await document.zipped, encoding: 'gzip' };
  }

  async #exception(error: unknown, { parameters }: WmsRequest, signal: AbortSignal): Promise<WmsAnswer> {
    const exception = this.#told(error, signal);
    const status = exception.status ?? 200;
    const version = versionForExceptions(parameters);
    const format = exceptionFormatOf(parameters);
    if (format === 'inimage' || format === 'blank') {
      const picture = await exceptionPicture(
        format === 'blank' ? undefined : exception.message,
        parameters,
        this.#deps.renderer,
      );
      if (picture !== undefined)
        return { status, contentType: picture.format.contentType, body: picture.bytes, exception: exception.code };
    }
    const document = exceptionDocument(exception, version, format === 'json' ? 'json' : 'xml');
    return { status, ...document, exception: exception.code };
  }

  /** What the client is told of an error; what it is not told goes to the log. */
  #told(error: unknown, signal: AbortSignal): OgcException {
    if (error instanceof OgcException) {
      if (error.cause !== undefined)
        this.#deps.logger.info('wms.request.failed', { told: error.message, cause: messageOf(error.cause) });
      return error;
    }
    if (!signal.aborted) this.#deps.logger.error('wms.request.broke', { error });
    return new OgcException('NoApplicableCode', 'the map could not be made; the log of the server says why');
  }
}

/** @throws OgcException  it is missing, not offered, or unknown */
function operationOf(parameters: Parameters): 'GetCapabilities' | 'GetMap' {
  const name = parameters.get('REQUEST')?.trim();
  if (name === undefined || name === '')
    throw new OgcException('MissingParameterValue', 'REQUEST is missing; it must be GetMap or GetCapabilities', {
      locator: 'request',
    });
  switch (name.toLowerCase()) {
    case 'getcapabilities':
    case 'capabilities': // WMS 1.0
      return 'GetCapabilities';
    case 'getmap':
    case 'map':
      return 'GetMap';
    default: {
      const known = NOT_OFFERED.find((operation) => operation.toLowerCase() === name.toLowerCase());
      const message = known === undefined ? `there is no operation ${name}` : `${known} is not offered here`;
      throw new OgcException('OperationNotSupported', `${message}; use GetMap or GetCapabilities`, {
        locator: 'request',
      });
    }
  }
}

/** @see OGC 06-042, 7.2.3.5 */
function checkUpdateSequence(asked: string | undefined, position: number): void {
  if (asked === undefined || asked.trim() === '') return;
  const sequence = Number(asked.trim());
  if (!Number.isFinite(sequence)) return;
  if (sequence === position)
    throw new OgcException('CurrentUpdateSequence', `the update sequence is still ${position}`, {
      locator: 'updatesequence',
    });
  if (sequence > position)
    throw new OgcException('InvalidUpdateSequence', `the update sequence is ${position}, not yet ${asked.trim()}`, {
      locator: 'updatesequence',
    });
}

function versionForExceptions(parameters: Parameters): WmsVersion {
  try {
    return versionOf(parameters, parameters.get('REQUEST') === undefined ? 'GetCapabilities' : 'GetMap');
  } catch {
    return '1.3.0';
  }
}
