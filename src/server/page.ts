import type { FastifyInstance } from 'fastify';
import { VERSION } from '../base/index.ts';
import { xml } from '../xml/index.ts';
import { CONTEXT_PATH } from './base-url.ts';
import { readPage, sendFile } from './static-files.ts';

/** Nothing is loaded from elsewhere, but maps may come from the other nodes of the cluster. */
const CONTENT_POLICY =
  "default-src 'self'; img-src * data: blob:; connect-src 'self'; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

/**
 * Serves the web page below the context path and below `web/`. It is a handful of files, so they are read once. A page that
 * was not built is replaced by a word on how to.
 */
export function registerPage(
  app: FastifyInstance,
  options: { readonly folder: string; readonly note: () => string | undefined },
): void {
  const files = readPage(options.folder, 'index.html');
  app.get('/', (_, reply) => reply.redirect(`${CONTEXT_PATH}/`, 302));
  for (const at of [CONTEXT_PATH, `${CONTEXT_PATH}/web`]) {
    app.get(at, (_, reply) => reply.redirect(`${at}/`, 302));
    app.get(`${at}/`, (request, reply) => {
      const index = files.get('index.html');
      if (index !== undefined) return sendFile(request, reply, index, CONTENT_POLICY);
      return reply.type('text/html;charset=UTF-8').send(plainPage(options.note()));
    });
    for (const [name, file] of files)
      app.get(`${at}/${name}`, (request, reply) => sendFile(request, reply, file, CONTENT_POLICY));
  }
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
