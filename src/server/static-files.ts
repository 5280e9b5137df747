import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Where `vite build` puts the pages. */
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

export interface StaticFile {
  /** In the folder, with `/`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly etag: string;
}

/**
 * The files of one of the pages that were built: its HTML, and all that pages share. None when the page was not built.
 *
 * @param page  name of its HTML: `index.html`
 */
export function readPage(folder: string, page: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  if (!existsSync(path.join(folder, page))) return files;
  for (const entry of globSync('**/*', { cwd: folder, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, full).split(path.sep).join('/');
    if (name.endsWith('.html') && name !== page) continue;
    const bytes = readFileSync(full);
    files.set(name, {
      name,
      bytes,
      type: TYPES[path.extname(full)] ?? 'application/octet-stream',
      etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    });
  }
  return files;
}

/** Sends a file of a page. What has its hash in its name is kept by browsers for ever. */
export function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: StaticFile,
  contentPolicy: string,
): FastifyReply {
  reply.headers({
    'cache-control': file.name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: file.etag,
    'x-content-type-options': 'nosniff',
    'content-security-policy': contentPolicy,
  });
  if (request.headers['if-none-match'] === file.etag) return reply.status(304).send();
  return reply.type(file.type).send(file.bytes);
}
