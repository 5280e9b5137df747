/** Layers of cascaded services: kept and listed; their remote servers are not asked. */
import { UserError } from '../base/index.ts';
import { createLayer, createResource, type Resource, type Store } from '../catalog/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el } from './answers.ts';
import { ensureDefaultStyles } from './default-styles.ts';
import type { Exchange } from './exchange.ts';
import { textOf, withChild } from './payload.ts';
import { type ResourceEndpoints, refuseOtherStore, resourceRoutes, storeForNew } from './resource-routes.ts';

export const remoteLayerRoutes = [
  ...resourceRoutes(
    endpoints({ store: 'wmsStore', kind: 'wmsLayer', path: 'wmslayers', list: 'wmsLayers', word: 'cascaded wms' }),
  ),
  ...resourceRoutes(
    endpoints({ store: 'wmtsStore', kind: 'wmtsLayer', path: 'wmtslayers', list: 'wmtsLayers', word: 'cascaded wmts' }),
  ),
];

function endpoints(of: {
  readonly store: Store['kind'];
  readonly kind: Resource['kind'];
  readonly path: string;
  readonly list: string;
  readonly word: string;
}): ResourceEndpoints {
  return {
    ...of,
    produces: ['json', 'xml', 'html'],
    recalculate: 'calculate',
    availableItem: `${of.kind}Name`,
    create: (x, sent) => create(x, of, sent),
  };
}

async function create(
  x: Exchange,
  of: Pick<ResourceEndpoints, 'store' | 'kind' | 'path'>,
  body: XmlElement,
): Promise<Answer> {
  const name = textOf(body, 'name');
  if (name === undefined) throw new UserError(400, 'name-missing', `a ${of.kind} needs a name`);
  const native = textOf(body, 'nativeName') === undefined ? withChild(body, el('nativeName', name)) : body;
  const sent = withChild(native, el('enabled', true));
  await x.write({
    evaluate: (draft) => {
      const store = storeForNew(x, of, { view: draft, sent });
      refuseOtherStore(draft, store, sent);
      ensureDefaultStyles(draft, x.env());
      createLayer(draft, createResource(draft, store, sent, x.env()), {}, x.env());
    },
  });
  return { kind: 'created', name, location: x.url('workspaces', x.param('workspace'), of.path, name) };
}
