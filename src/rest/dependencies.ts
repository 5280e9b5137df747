import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock, Logger } from '../base/index.ts';
import type { ClusterNode } from '../cluster/index.ts';
import type { DataAccess } from '../data/index.ts';

/** What the REST API works on. */
export interface RestDependencies {
  readonly node: ClusterNode;
  readonly data: DataAccess;
  readonly clock: Clock;
  /** Uniform in [0, 1): makes ids and names. */
  readonly random: () => number;
  readonly logger: Logger;
  /** URL of the server as the client sees it, with the context path and without a final slash: `http://host:8080/geoserver`. */
  baseUrl(request: FastifyRequest): string;
  /** On a replica: passes a changing request on to a primary and answers with what that says. Absent: 403. */
  forward?(request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
  /** Folder for uploads while they are looked at. Default: the system's. */
  readonly tempDir?: string;
  /** Bounds on uploads. */
  readonly limits?: Partial<UploadLimits>;
  /** What `/rest/cluster` shows and changes. Absent: what the node knows of itself is shown, and nothing can be changed. */
  readonly settings?: ClusterSettings;
}

/** Settings of the node, by the keys of `cluster.properties`. */
export interface ClusterSettings {
  /** Every key and its value now, without secrets. */
  entries(): readonly (readonly [key: string, value: string])[];
  /**
   * Changes settings; they are remembered in `cluster.properties`. What is equal to the present value is left alone.
   *
   * @throws UserError  400: a key is not known, a value means nothing; 409: the node cannot run like that, and goes on as before
   */
  change(changes: ReadonlyMap<string, string>): Promise<SettingsChange>;
}

export interface SettingsChange {
  readonly changed: readonly {
    readonly key: string;
    /** Without secrets. */
    readonly value: string;
    /**
     * `now`: it holds; `reopened`: it holds, the node was opened again for it; `reopening`: the node is being opened again;
     * `kept`: it is remembered and has no effect here.
     */
    readonly effect: 'now' | 'reopened' | 'reopening' | 'kept';
  }[];
  /** What whoever changed it should know, for people. */
  readonly warnings: readonly string[];
}

/** Bounds on an upload; one beyond them is refused with 413 or 400 and nothing is changed. */
export interface UploadLimits {
  /** Longest body, in bytes. */
  readonly bodyBytesMax: number;
  /** Most files of an archive. */
  readonly entriesMax: number;
  /** Size of all files of an archive together, unpacked, in bytes. */
  readonly unpackedBytesMax: number;
  /** Most that one file of an archive may grow when it is unpacked, beyond the first MiB. */
  readonly ratioMax: number;
}

export const UPLOAD_LIMITS: UploadLimits = {
  bodyBytesMax: 512 * 1024 * 1024,
  entriesMax: 10_000,
  unpackedBytesMax: 1024 * 1024 * 1024,
  ratioMax: 200,
};

/** Bounds for uploads of so many bytes: an archive may unpack to twice as many. */
export function uploadLimits(bytesMax = UPLOAD_LIMITS.bodyBytesMax): UploadLimits {
  return { ...UPLOAD_LIMITS, bodyBytesMax: bytesMax, unpackedBytesMax: 2 * bytesMax };
}

/** Who asks, as `request.principal`; set by the server's authentication. */
export interface RestPrincipal {
  readonly name: string;
  readonly roles: readonly string[];
  readonly isAdmin: boolean;
}

export function principalOf(request: FastifyRequest): RestPrincipal | undefined {
  return (request as { principal?: RestPrincipal }).principal;
}

/** `traceparent` of the request's span, as `request.trace`; set by the server. */
export function traceOf(request: FastifyRequest): string | undefined {
  return (request as { trace?: string }).trace;
}
