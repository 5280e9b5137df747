import type { FastifyRequest } from 'fastify';
import type { Logger } from '../base/index.ts';
import type { ClusterNode } from '../cluster/index.ts';
import type { DataAccess } from '../data/index.ts';
import type { Renderer } from '../render/index.ts';

/** What the OGC services work on. */
export interface OgcDependencies {
  readonly node: ClusterNode;
  readonly data: DataAccess;
  readonly renderer: Renderer;
  readonly logger: Logger;
  /** URL of the server as the client sees it, with the context path and without a final slash: `http://host:8080/geoserver`. */
  baseUrl(request: FastifyRequest): string;
  readonly limits?: Partial<OgcLimits>;
  /** Fetches a style that a client points to (`SLD=http://...`). Absent: such requests are refused, nothing is fetched. */
  fetchStyle?(url: string, signal: AbortSignal): Promise<Uint8Array>;
}

/** Bounds on a request; one beyond them is refused. */
export interface OgcLimits {
  /** Longest side of a picture, in pixels. */
  readonly sidePxMax: number;
  /** Longest body of a POST, in bytes. */
  readonly bodyBytesMax: number;
  /** Layers of one map, groups taken apart. */
  readonly mapLayersMax: number;
  /** Longest drawing, where the service's settings have no shorter limit, in milliseconds. */
  readonly renderingMsMax: number;
  /** How long a request waits for the position it asks for, in milliseconds. */
  readonly positionWaitMs: number;
  /** Kept capabilities documents, in bytes. */
  readonly capabilitiesBytesMax: number;
}

export const OGC_LIMITS: OgcLimits = {
  sidePxMax: 16_384,
  bodyBytesMax: 8 * 1024 * 1024,
  mapLayersMax: 500,
  renderingMsMax: 60_000,
  positionWaitMs: 5_000,
  capabilitiesBytesMax: 256 * 1024 * 1024,
};
