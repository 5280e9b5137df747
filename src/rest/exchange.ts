/** One request and what its handler needs: parameters, body, links, the catalog, and the way to change it. */

import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { UserError } from '../base/index.ts';
import type { CatalogView, CoverageStore, DataStore, Env } from '../catalog/index.ts';
import type { Origin, StagedFile, WriteRequest } from '../cluster/index.ts';
import type { RasterStore, VectorStore } from '../data/index.ts';
import { parseXml, XML_LIMITS, type XmlElement } from '../xml/index.ts';
import { atomLink } from './answers.ts';
import { type RestDependencies, traceOf } from './dependencies.ts';
import { parseJson } from './json.ts';
import { charsetOf, mediaType, type Negotiated, parseBoolean } from './negotiation.ts';
import type { Params } from './routes.ts';

/** Longest body of an object, a style or a template, in bytes. */
export const OBJECT_BYTES_MAX = 16 * 1024 * 1024;

export class Exchange {
  readonly request: FastifyRequest;
  readonly deps: RestDependencies;
  readonly params: Params;
  readonly negotiated: Negotiated;
  /** Extension that was cut off the path. */
  readonly extension: string | undefined;
  /** Where the answer stands in the log: set when a change was made, or when the view was read. */
  position: number;
  readonly #user: string;
  readonly #staged: StagedFile[] = [];

  constructor(parts: {
    request: FastifyRequest;
    deps: RestDependencies;
    params: Params;
    negotiated: Negotiated;
    extension: string | undefined;
    user: string;
  }) {
    this.request = parts.request;
    this.deps = parts.deps;
    this.params = parts.params;
    this.negotiated = parts.negotiated;
    this.extension = parts.extension;
    this.#user = parts.user;
    this.position = parts.deps.node.position;
  }

  get view(): CatalogView {
    return this.deps.node.catalog;
  }

  param(name: string): string {
    const value = this.params[name];
    if (value === undefined) throw new Error(`the route has no {${name}}`);
    return value;
  }

  // ---- query

  query(name: string): string | undefined {
    const value = (this.request.query as Record<string, string | string[] | undefined>)[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** @throws UserError  400 when the value is neither a yes nor a no */
  flag(name: string, otherwise = false): boolean {
    const text = this.query(name);
    if (text === undefined || text === '') return otherwise;
    const value = parseBoolean(text);
    if (value === undefined) throw new UserError(400, 'bad-parameter', `${name}=${text}: true or false is expected`);
    return value;
  }

  // ---- body

  get bodyType(): string {
    return mediaType(this.request.headers['content-type']);
  }

  /** The body as it comes in; undefined when the request has none. */
  get bodyStream(): Readable | undefined {
    const body = this.request.body as Readable | null | undefined;
    return body === null ? undefined : body;
  }

  /** @throws UserError  413 beyond `bytesMax`: before anything is read when the header says so already */
  async readBody(bytesMax = OBJECT_BYTES_MAX): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.bodyWithin(bytesMax)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /**
   * The body piece by piece. Who leaves it early, or lets it fail, can still answer.
   * @throws UserError  413 beyond `bytesMax`: before anything is read when the header says so already
   */
  async *bodyWithin(bytesMax: number): AsyncGenerator<Uint8Array> {
    this.refuseLongBody(bytesMax);
    const stream = this.bodyStream;
    if (stream === undefined) return;
    let size = 0;
    let ended = false;
    try {
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        size += chunk.length;
        if (size > bytesMax) throw bodyTooLarge(bytesMax);
        yield chunk;
      }
      ended = true;
    } finally {
      // The rest is thrown away: a client that still sends would not hear the answer.
      if (!ended) stream.resume();
    }
  }

  // ---- files

  /**
   * Takes a file in for a change to put somewhere; it goes when the request has ended.
   * @throws  as `ClusterNode.stage` does
   */
  async stage(body: AsyncIterable<Uint8Array>): Promise<StagedFile> {
    const file = await this.deps.node.stage(body);
    this.#staged.push(file);
    return file;
  }

  /** The request has ended: lets go of what was staged for it. */
  release(): void {
    for (const file of this.#staged.splice(0)) file.release();
  }

  refuseLongBody(bytesMax: number): void {
    if (Number(this.request.headers['content-length'] ?? 0) > bytesMax) throw bodyTooLarge(bytesMax);
  }

  async readText(): Promise<string> {
    const bytes = await this.readBody();
    const charset = charsetOf(this.request.headers['content-type']) ?? 'utf-8';
    try {
      return new TextDecoder(charset, { fatal: true }).decode(bytes);
    } catch {
      throw new UserError(400, 'bad-encoding', `the body is not valid ${charset}`);
    }
  }

  /**
   * Reads an object, in XML or JSON as its Content-Type says.
   *
   * @param names  what the root may be
   * @throws UserError             415, 413, or 400 when the root is another
   * @throws XmlError | JsonError  the body is malformed
   */
  async readObject(...names: readonly string[]): Promise<XmlElement> {
    const root = await this.#readRoot();
    const found = root.local;
    if (!names.includes(found)) {
      const wanted = names.map((name) => `"${name}"`).join(' or ');
      throw new UserError(400, 'unexpected-root', `the body's root is "${found}" where ${wanted} is expected`);
    }
    return root;
  }

  async #readRoot(): Promise<XmlElement> {
    const header = this.request.headers['content-type'];
    switch (this.bodyType) {
      case 'application/xml':
      case 'text/xml': {
        const charset = charsetOf(header);
        const known = charset === undefined || charset === 'utf-8' || charset === 'utf8';
        const body = known ? await this.readBody() : await this.readText();
        return parseXml(body, { ...XML_LIMITS, lengthMax: OBJECT_BYTES_MAX }).root;
      }
      case 'application/json':
      case 'text/json':
        return parseJson(await this.readText());
      default:
        throw new UserError(
          415,
          'unsupported-media-type',
          `Content-Type ${header === undefined ? 'is missing' : `${header} is not understood here`}: send application/xml or application/json`,
        );
    }
  }

  // ---- links

  /** URL of something below `/rest`, without an extension. */
  url(...segments: readonly string[]): string {
    return `${this.deps.baseUrl(this.request)}/rest/${segments.map(formEncode).join('/')}`;
  }

  /** A link with the extension of the answer's own format. */
  link(...segments: readonly string[]): XmlElement {
    const { format } = this.negotiated;
    const extension = format === 'json' || format === 'html' ? format : 'xml';
    return atomLink(`${this.url(...segments)}.${extension}`, format);
  }

  // ---- data

  /** Opens a store, once everything that this node knows of is on its disk, for drivers read files. */
  async vector(store: DataStore): Promise<VectorStore> {
    await this.deps.node.written();
    return this.deps.data.vector(store, this.view);
  }

  async raster(store: CoverageStore): Promise<RasterStore> {
    await this.deps.node.written();
    return this.deps.data.raster(store, this.view);
  }

  // ---- changing

  /** Clock, randomness and user for the operations of one change. */
  env(): Env {
    return { now: this.deps.clock.now(), random: this.deps.random, user: this.#user };
  }

  /**
   * Makes a change, in the name of the user who asked.
   *
   * @returns undefined when the change was made before, under the same Idempotency-Key: what it gave then is not kept
   */
  async write<Prepared = undefined, Result = void>(
    change: Omit<WriteRequest<Prepared, Result>, 'origin'>,
  ): Promise<Result | undefined> {
    const written = await this.deps.node.write({ ...change, origin: this.origin() });
    this.position = written.position;
    return written.result;
  }

  /** What history will say of a change that this request makes. */
  origin(): Origin {
    const key = this.request.headers['idempotency-key'];
    const trace = traceOf(this.request);
    return {
      by: this.#user,
      address: this.request.ip,
      why: `${this.request.method} ${splitUrl(this.request.url).path}`,
      ...(trace && { trace }),
      ...(typeof key === 'string' && key !== '' ? { idempotencyKey: key } : {}),
    };
  }
}

function bodyTooLarge(bytesMax: number): UserError {
  const mebibytes = Math.floor(bytesMax / (1024 * 1024));
  return new UserError(
    413,
    'body-too-large',
    `the body is larger than ${mebibytes} MiB, the most that is taken here; nothing was changed`,
  );
}

export function splitUrl(url: string): { path: string; query: string } {
  const mark = url.indexOf('?');
  return mark === -1 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** Names in links are form-encoded: a space is `+`, a colon `%3A`. */
function formEncode(segment: string): string {
  return encodeURIComponent(segment)
    .replace(/%20/g, '+')
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
