/** The page of links at `/rest`, and the description of the API. */
import { XmlElement } from '../xml/index.ts';
import { atomLink, el } from './answers.ts';
import { describeApi } from './openapi.ts';
import type { Route } from './routes.ts';

/** @param served  every other route */
export function indexRoutes(served: readonly Route[]): readonly Route[] {
  const home = (path: string): Route => ({
    method: 'GET',
    path,
    summary: 'Lists the entry points of the API',
    produces: ['html'],
    handle: (x) => {
      const entries = served.filter((route) => route.method === 'GET' && !route.path.includes('{'));
      const names = [...new Set(entries.map((route) => route.path.slice(1)))].sort();
      const links = names.map((name) => el('entry', [el('name', name), atomLink(x.url(...name.split('/')), 'html')]));
      return { kind: 'object', element: XmlElement.of('rest', links) };
    },
  });
  const own: Route[] = [home('/'), home('/index')];
  own.push({
    method: 'GET',
    path: '/openapi.json',
    keepExtension: true,
    summary: 'Describes the API in OpenAPI 3.1',
    produces: ['json'],
    handle: (x) => ({
      kind: 'data',
      value: describeApi([...own, ...served], x.deps.baseUrl(x.request)),
      element: XmlElement.of('openapi'),
    }),
  });
  return own;
}
