/** Global settings, contact, logging, settings of workspaces, and settings of services. */
import { UserError } from '../base/index.ts';
import {
  type CatalogView,
  changeContact,
  changeGlobalSettings,
  changeLocalSettings,
  changeLogging,
  changeService,
  deleteLocalSettings,
  deleteService,
} from '../catalog/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { el, OK } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { findWorkspace } from './find.ts';
import { withoutChildren, withoutLinks } from './payload.ts';
import { rootOf } from './present.ts';
import { OBJECT_TYPES, type Route } from './routes.ts';

/** What a directory without the file means. */
const DEFAULT_SETTINGS = el('settings', [
  el('contact'),
  el('charset', 'UTF-8'),
  el('numDecimals', 8),
  el('verbose', false),
  el('verboseExceptions', false),
  el('localWorkspaceIncludesPrefix', false),
]);

export const settingsRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/settings',
    summary: 'Shows the global settings',
    produces: ['json', 'xml', 'html'],
    handle: (x) => ({ kind: 'object', element: presentGlobal(x.view) }),
  },
  {
    method: 'PUT',
    path: '/settings',
    summary: 'Changes the global settings; the block "settings" is replaced when present',
    consumes: OBJECT_TYPES,
    handle: async (x) => {
      const patch = withoutChildren(await x.readObject('global'), 'updateSequence');
      await x.write({ evaluate: (draft) => void changeGlobalSettings(draft, patch, x.env()) });
      return OK;
    },
  },
  {
    method: 'GET',
    path: '/settings/contact',
    summary: 'Shows the contact of the global settings',
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const global = presentGlobal(x.view);
      return {
        kind: 'object',
        element: global.find('settings', 'contact') ?? global.child('contact') ?? el('contact'),
      };
    },
  },
  {
    method: 'PUT',
    path: '/settings/contact',
    summary: 'Changes the contact, field by field',
    consumes: OBJECT_TYPES,
    handle: async (x) => {
      const patch = await x.readObject('contact');
      await x.write({ evaluate: (draft) => void changeContact(draft, patch, x.env()) });
      return OK;
    },
  },
  {
    method: 'GET',
    path: '/logging',
    summary: 'Shows the logging settings',
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const logging = x.view.logging();
      const element =
        logging === undefined
          ? el('logging', [
              el('level', 'DEFAULT_LOGGING'),
              el('location', 'logs/geoserver.log'),
              el('stdOutLogging', true),
            ])
          : withoutChildren(rootOf(x.view, logging), 'id');
      return { kind: 'object', element };
    },
  },
  {
    method: 'PUT',
    path: '/logging',
    summary: 'Changes the logging settings',
    consumes: OBJECT_TYPES,
    handle: async (x) => {
      const patch = await x.readObject('logging');
      await x.write({ evaluate: (draft) => void changeLogging(draft, patch) });
      return OK;
    },
  },
  ...localSettingsRoutes(),
  ...serviceRoutes(),
];

/** The 1.x leftovers of an administrator's name and password are not shown. */
function presentGlobal(view: CatalogView): XmlElement {
  const settings = view.globalSettings();
  if (settings === undefined)
    return el('global', [DEFAULT_SETTINGS, el('updateSequence', 0), el('globalServices', true)]);
  return withoutChildren(rootOf(view, settings), 'adminUsername', 'adminPassword');
}

function localSettingsRoutes(): Route[] {
  const path = '/workspaces/{workspace}/settings';
  const write = (refuseExisting: boolean) => async (x: Exchange) => {
    const name = x.param('workspace');
    const patch = withoutChildren(await x.readObject('settings'), 'id', 'workspace');
    await x.write({
      evaluate: (draft) => {
        const workspace = findWorkspace(draft, name, `Workspace ${name} not found`);
        if (refuseExisting && draft.localSettings(workspace) !== undefined)
          throw new UserError(500, 'settings-exist', `Workspace ${name} has its own settings already`);
        changeLocalSettings(draft, workspace, patch, x.env());
      },
    });
    return name;
  };
  const post = write(true);
  const put = write(false);
  return [
    {
      method: 'GET',
      path,
      summary: 'Shows the settings of a workspace, or the defaults',
      produces: ['json', 'xml', 'html'],
      handle: (x) => {
        const workspace = findWorkspace(x.view, x.param('workspace'), `Workspace ${x.param('workspace')} not found`);
        const local = x.view.localSettings(workspace);
        const root = local === undefined ? DEFAULT_SETTINGS : rootOf(x.view, local);
        const reference = el('workspace', [el('name', workspace.name), x.link('workspaces', workspace.name)]);
        const others = root.elements.filter((child) => child.name !== 'workspace');
        const ids = others.filter((child) => child.name === 'id');
        return {
          kind: 'object',
          element: el('settings', [...ids, reference, ...others.filter((child) => child.name !== 'id')]),
        };
      },
    },
    {
      method: 'POST',
      path,
      summary: 'Gives a workspace settings of its own',
      consumes: OBJECT_TYPES,
      handle: async (x) => ({
        kind: 'created',
        name: await post(x),
        location: x.url('workspaces', x.param('workspace'), 'settings'),
      }),
    },
    {
      method: 'PUT',
      path,
      summary: 'Makes or changes the settings of a workspace',
      consumes: OBJECT_TYPES,
      handle: async (x) => {
        await put(x);
        return OK;
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'Removes the settings of a workspace; the global ones hold again',
      handle: async (x) => {
        const name = x.param('workspace');
        await x.write({
          evaluate: (draft) => {
            const workspace = findWorkspace(draft, name, `Workspace ${name} not found`);
            if (draft.localSettings(workspace) === undefined)
              throw new UserError(500, 'settings-missing', `Workspace ${name} has no settings of its own`);
            deleteLocalSettings(draft, workspace);
          },
        });
        return OK;
      },
    },
  ];
}

function serviceRoutes(): Route[] {
  return ['/services/{service}/settings', '/services/{service}/workspaces/{workspace}/settings'].flatMap(
    (path): Route[] => {
      const scope = (x: Exchange, view: CatalogView) => {
        const name = x.params.workspace;
        return name === undefined ? undefined : findWorkspace(view, name, `Workspace ${name} does not exist`);
      };
      const ofWorkspace = path.includes('{workspace}');
      const routes: Route[] = [
        {
          method: 'GET',
          path,
          summary: ofWorkspace ? "Shows a workspace's own settings of a service" : 'Shows the settings of a service',
          produces: ['json', 'xml', 'html'],
          handle: (x) => {
            const workspace = scope(x, x.view);
            const service = x.view.service(x.param('service'), workspace);
            if (service === undefined) {
              const message =
                workspace === undefined
                  ? 'Service does not exist'
                  : `Service does not exist for workspace ${workspace.name}`;
              throw new UserError(404, 'service-not-found', message);
            }
            const reference =
              workspace && el('workspace', [el('name', workspace.name), x.link('workspaces', workspace.name)]);
            const others = withoutChildren(rootOf(x.view, service), 'id', 'workspace').elements;
            return { kind: 'object', element: el(service.service, [reference, ...others]) };
          },
        },
        {
          method: 'PUT',
          path,
          summary: ofWorkspace
            ? "Makes or changes a workspace's own settings of a service"
            : 'Changes the settings of a service',
          consumes: OBJECT_TYPES,
          handle: async (x) => {
            const patch = withoutChildren(withoutLinks(await x.readObject(x.param('service'))), 'workspace');
            await x.write({ evaluate: (draft) => void changeService(draft, scope(x, draft), patch, x.env()) });
            return OK;
          },
        },
      ];
      if (!ofWorkspace) return routes;
      return [
        ...routes,
        {
          method: 'DELETE',
          path,
          summary: "Removes a workspace's own settings of a service; the global ones hold again",
          handle: async (x) => {
            const name = x.param('workspace');
            await x.write({
              evaluate: (draft) => {
                const workspace = findWorkspace(draft, name, `Workspace ${name} does not exist`);
                if (draft.service(x.param('service'), workspace) !== undefined)
                  deleteService(draft, workspace, x.param('service'));
              },
            });
            return OK;
          },
        },
      ];
    },
  );
}
