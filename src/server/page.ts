import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { VERSION } from '../base/index.ts';
import { xml } from '../xml/index.ts';
import { CONTEXT_PATH } from './base-url.ts';

/** Where `vite build` puts the page. */
export const PAGE_FOLDER = path.resolve(import.meta.dirname, '../admin/dist');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html;charset=UTF-8',
  '.js': 'text/javascript;charset=UTF-8',
  '.css': 'text/css;charset=UTF-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.map': 'application/json',
};

/** Nothing is loaded from elsewhere, but maps may come from the other nodes of the cluster. */
const CONTENT_POLICY =
  "default-src 'self'; img-src * data: blob:; connect-src 'self'; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

interface StaticFile {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly etag: string;
}

/**
 * Serves the web page below the context path and below `web/`. It is a handful of files, so they are read once; what
 * has its hash in its name is kept by browsers for ever. A page that was not built is replaced by a word on how to.
 */
export function registerPage(
  app: FastifyInstance,
  options: { readonly folder: string; readonly note: () => string | undefined },
): void {
  const files = readFiles(options.folder);
  app.get('/', (_, reply) => reply.redirect(`${CONTEXT_PATH}/`, 302));
  for (const at of [CONTEXT_PATH, `${CONTEXT_PATH}/web`]) {
    app.get(at, (_, reply) => reply.redirect(`${at}/`, 302));
    app.get(`${at}/`, (request, reply) => {
      const index = files.get('index.html');
      if (index !== undefined) return send(request, reply, index, 'no-cache');
      return reply.type('text/html;charset=UTF-8').send(plainPage(options.note()));
    });
    for (const [name, file] of files)
      app.get(`${at}/${name}`, (request, reply) =>
        send(request, reply, file, name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'),
      );
  }
}

function send(request: FastifyRequest, reply: FastifyReply, file: StaticFile, cacheControl: string): FastifyReply {
  reply.headers({
    'cache-control': cacheControl,
    etag: file.etag,
    'x-content-type-options': 'nosniff',
    'content-security-policy': CONTENT_POLICY,
  });
  if (request.headers['if-none-match'] === file.etag) return reply.status(304).send();
  return reply.type(file.type).send(file.bytes);
}

function readFiles(folder: string): Map<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  if (!existsSync(path.join(folder, 'index.html'))) return files;
  for (const entry of globSync('**/*', { cwd: folder, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = path.join(entry.parentPath, entry.name);
    const bytes = readFileSync(full);
    files.set(path.relative(folder, full).split(path.sep).join('/'), {
      bytes,
      type: TYPES[path.extname(full)] ?? 'application/octet-stream',
      etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    });
  }
  return files;
}

function plainPage(note: string | undefined): string {
  return `<!doctype html>\n${xml`<html lang="en">
<head><meta charset="utf-8"/><title>Graticule</title></head>
<body style="font-family: sans-serif; max-width: 40em; margin: 3em auto; line-height: 1.5">
<h1>Graticule ${VERSION}</h1>
<p>The services run. The page that shows nodes and layers has not been built in this installation; <code>npm run build</code>
builds it, and the next start serves it.</p>
${note && xml`<p><strong>${note}</strong></p>`}
<ul>
<li><a href="${CONTEXT_PATH}/wms?service=WMS&amp;version=1.3.0&amp;request=GetCapabilities">WMS capabilities</a></li>
<li><a href="${CONTEXT_PATH}/rest">REST API</a></li>
<li><a href="${CONTEXT_PATH}/cluster/overview.json">Nodes and layers as JSON</a></li>
<li><a href="${CONTEXT_PATH}/health/ready">Health</a></li>
</ul>
</body></html>`}\n`;
}
