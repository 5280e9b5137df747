import { readdirSync } from 'node:fs';
import { treePath } from '../tree/index.ts';
import { type Answer, el, OK } from './answers.ts';
import type { Exchange } from './exchange.ts';
import type { Method, Route } from './routes.ts';

const both: readonly Method[] = ['POST', 'PUT'];

export const maintenanceRoutes: readonly Route[] = [
  ...both.map(
    (method): Route => ({
      method,
      path: '/reload',
      summary: 'Takes in files that were edited by hand: published from a primary, undone on a replica',
      local: true,
      handle: async (x) => {
        const { node, logger } = x.deps;
        x.position = await node.catchUp();
        const { outcome, paths } = await node.reload(x.origin());
        if (outcome !== 'nothing')
          logger.info('rest.reload', { outcome, paths: paths.slice(0, 100), count: paths.length });
        x.position = node.position;
        forgetStores(x);
        return OK;
      },
    }),
  ),
  ...both.map(
    (method): Route => ({
      method,
      path: '/reset',
      summary: 'Lets go of all open stores and what is cached of them, on this node',
      local: true,
      handle: (x) => {
        forgetStores(x);
        return OK;
      },
    }),
  ),
  {
    method: 'GET',
    path: '/fonts',
    summary: 'Lists the fonts that styles can use',
    produces: ['json', 'xml', 'html'],
    handle: fonts,
  },
];

function forgetStores(x: Exchange): void {
  for (const workspace of x.view.workspaces())
    for (const store of x.view.stores(workspace)) x.deps.data.forget(store.id);
}

const FONT_FOLDERS = ['/usr/share/fonts', '/usr/local/share/fonts'];

/** Font files of the system and of the styles folder, by file name: the faces in them are not looked into. */
function fonts(x: Exchange): Answer {
  const files = FONT_FOLDERS.flatMap((folder) => {
    try {
      return readdirSync(folder, { recursive: true, encoding: 'utf8' });
    } catch {
      return [];
    }
  });
  const all = [...files, ...x.view.list(treePath('styles'))];
  const names = all.flatMap((file) => /([^/]+)\.(?:ttf|otf|ttc)$/i.exec(file)?.[1] ?? []).map(faceName);
  const sorted = [...new Set(names)].sort();
  return {
    kind: 'data',
    value: { fonts: sorted },
    element: el(
      'fonts',
      sorted.map((name) => el('entry', name)),
    ),
  };
}

/** `DejaVuSans-Bold` is the face `DejaVu Sans Bold`. */
function faceName(file: string): string {
  return file
    .replace(/[-_]/g, ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/^Deja Vu/, 'DejaVu')
    .replace(/ (?:Regular|Book)$/, '');
}
