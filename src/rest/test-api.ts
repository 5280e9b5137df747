/** For tests: the API over a real node, on a memory log and a data directory of its own. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from 'fastify';
import { silentLogger, systemClock } from '../base/index.ts';
import { type ClusterNode, openNode, type Role } from '../cluster/index.ts';
import { openDataAccess } from '../data/index.ts';
import { type ChangeLog, memoryLog } from '../log/index.ts';
import { parseXml, type XmlElement } from '../xml/index.ts';
import type { RestDependencies } from './dependencies.ts';
import { registerRest } from './register.ts';

export interface TestApi {
  readonly node: ClusterNode;
  readonly app: FastifyInstance;
  readonly dataDir: string;
  readonly log: ChangeLog;
  /** Sends a request as the administrator; `path` is below `/rest`. */
  send(method: string, path: string, options?: SendOptions): Promise<LightMyRequestResponse>;
  /** Reads JSON; fails when the status is not 200. */
  json(path: string): Promise<Json>;
  xml(path: string): Promise<XmlElement>;
  close(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
export type Json = any;

export interface SendOptions {
  readonly type?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as XML. */
  readonly xml?: string;
}

export interface TestApiOptions {
  /** Copied as the data directory. */
  readonly from?: string;
  /** Files of the data directory, by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly log?: ChangeLog;
  readonly role?: Role;
  readonly name?: string;
  readonly dependencies?: Partial<RestDependencies>;
}

export async function openTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'graticule-rest-'));
  const dataDir = path.join(folder, 'data-dir');
  mkdirSync(dataDir);
  if (options.from !== undefined) cpSync(options.from, dataDir, { recursive: true });
  for (const [file, text] of Object.entries(options.files ?? {})) {
    mkdirSync(path.dirname(path.join(dataDir, file)), { recursive: true });
    writeFileSync(path.join(dataDir, file), text);
  }
  const log = options.log ?? memoryLog().open();
  const node = await openNode({
    dataDir,
    name: options.name ?? 'one',
    version: 'test',
    url: 'http://one.test/geoserver',
    role: options.role ?? 'both',
    log,
    logUrl: 'memory:',
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
  });
  const data = openDataAccess({ dataDir, cacheDir: path.join(folder, 'cache'), logger: silentLogger });
  const app = fastify();
  app.decorateRequest('principal');
  app.addHook('onRequest', async (request) => {
    const user = request.headers['x-user'];
    if (user !== undefined)
      Object.assign(request, { principal: { name: String(user), roles: ['ADMIN'], isAdmin: user !== 'editor' } });
  });
  await app.register(
    async (scope) => {
      registerRest(scope, {
        node,
        data,
        clock: systemClock,
        random: Math.random,
        logger: silentLogger,
        baseUrl: () => 'http://h/geoserver',
        tempDir: folder,
        ...options.dependencies,
      });
    },
    { prefix: '/geoserver' },
  );
  await app.ready();

  const send = (method: string, where: string, sent: SendOptions = {}) => {
    const body = sent.json === undefined ? (sent.xml ?? sent.body) : JSON.stringify(sent.json);
    const type =
      sent.type ??
      (sent.json !== undefined ? 'application/json' : sent.xml !== undefined ? 'application/xml' : undefined);
    return app.inject({
      method: method as InjectOptions['method'],
      url: `/geoserver/rest${where}`,
      headers: { 'x-user': 'admin', ...(type === undefined ? {} : { 'content-type': type }), ...sent.headers },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : Buffer.from(body) }),
    } as InjectOptions) as Promise<LightMyRequestResponse>;
  };
  const read = async (where: string) => {
    const response = await send('GET', where);
    if (response.statusCode !== 200) throw new Error(`GET ${where}: ${response.statusCode} ${response.body}`);
    return response.body;
  };
  return {
    node,
    app,
    dataDir,
    log,
    send,
    json: async (where) => JSON.parse(await read(where)),
    xml: async (where) => parseXml(await read(where)).root,
    async close() {
      await app.close();
      await data.close();
      await node.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A body that is too long or too wild to be written down. */
export function noise(bytes: number): Buffer {
  return randomBytes(bytes);
}
