import { UserError } from '../../base/index.ts';
import type { TreePath } from '../../tree/index.ts';
import { XmlElement } from '../../xml/index.ts';
import type { GlobalSettings, LocalSettings, LoggingSettings, ServiceSettings, Workspace } from '../objects.ts';
import { folderOf, GLOBAL_FILE, inFolder, LOGGING_FILE, SERVICES, serviceFile } from '../paths.ts';
import { orderOf } from '../schema.ts';
import type { Draft } from '../view.ts';
import { editXmlFile, newId, putXmlFile, referenceElement, setElement } from '../write.ts';
import { written } from './check.ts';
import type { Env } from './env.ts';
import { bodyOf, overlay, type Rewrite } from './overlay.ts';
import { inOrder } from './stores.ts';

/** Lays `<global>` over `global.xml`; a `settings` block that is sent replaces the stored one, but for its id. */
export function changeGlobalSettings(draft: Draft, patch: XmlElement, env: Env): GlobalSettings {
  const keepsId = (stored: XmlElement | undefined): Rewrite => ({
    settings: (sent) => {
      const known = new Set(orderOf('settings'));
      const others = sent.elements.filter((child) => child.name !== 'id' && known.has(child.name));
      const id = XmlElement.of('id', stored?.childText('id') ?? newId('settings', env.random));
      return inOrder('settings', [id, ...others]);
    },
    // The head of the log says in which order things changed.
    updateSequence: () => undefined,
  });
  if (draft.read(GLOBAL_FILE) === undefined)
    putXmlFile(draft, GLOBAL_FILE, inOrder('global', bodyOf(patch, keepsId(undefined))));
  else editXmlFile(draft, GLOBAL_FILE, (root) => overlay(root, patch, keepsId(root.child('settings'))));
  return written<GlobalSettings>(draft, GLOBAL_FILE);
}

/** Lays the fields of `<contact>` over those of the global settings, wherever the file has them. */
export function changeContact(draft: Draft, patch: XmlElement, env: Env): GlobalSettings {
  if (draft.read(GLOBAL_FILE) === undefined)
    return changeGlobalSettings(draft, XmlElement.of('global', [XmlElement.of('settings', [patch])]), env);
  editXmlFile(draft, GLOBAL_FILE, (root) => {
    const holder = root.child('settings') ?? root;
    const stored = holder.child('contact');
    if (stored === undefined) setElement(holder, XmlElement.of('contact', bodyOf(patch, {})));
    else overlay(stored, patch, {});
  });
  return written<GlobalSettings>(draft, GLOBAL_FILE);
}

/** Makes or changes a workspace's own settings. */
export function changeLocalSettings(draft: Draft, workspace: Workspace, patch: XmlElement, env: Env): LocalSettings {
  const own: Rewrite = { workspace: () => undefined };
  const existing = draft.localSettings(workspace);
  if (existing !== undefined) {
    editXmlFile(draft, existing.path, (root) => overlay(root, patch, own));
    return written<LocalSettings>(draft, existing.path);
  }
  const path = inFolder(folderOf(workspace.path) as TreePath, 'settings.xml');
  const children = [
    ...bodyOf(patch, own),
    XmlElement.of('id', newId('settings', env.random)),
    referenceElement('workspace', workspace.id),
  ];
  putXmlFile(draft, path, inOrder('settings', children));
  return written<LocalSettings>(draft, path);
}

/** @throws UserError  500, as GeoServer's, when there are none */
export function deleteLocalSettings(draft: Draft, workspace: Workspace): void {
  const settings = draft.localSettings(workspace);
  if (settings === undefined)
    throw new UserError(500, 'settings-not-found', `Workspace ${workspace.name} has no settings of its own`);
  draft.delete(settings.path);
}

/** Makes or changes the settings of a service (`<wms>`, ...), global or of a workspace. */
export function changeService(
  draft: Draft,
  workspace: Workspace | undefined,
  patch: XmlElement,
  env: Env,
): ServiceSettings {
  const service = SERVICES.find((known) => known === patch.name);
  if (service === undefined)
    throw new UserError(400, 'bad-element', `<${patch.name}> is no service: ${SERVICES.join(', ')} are`);
  const own: Rewrite = { workspace: () => undefined };
  const existing = draft.service(service, workspace);
  if (existing !== undefined) {
    editXmlFile(draft, existing.path, (root) => overlay(root, patch, own));
    return written<ServiceSettings>(draft, existing.path);
  }
  const path = serviceFile(service, workspace?.path);
  const children = [...bodyOf(patch, own), XmlElement.of('id', newId(service, env.random))];
  const has = (child: string) => children.some((other) => other.name === child);
  if (!has('enabled')) children.push(XmlElement.of('enabled', 'true'));
  if (!has('name')) children.push(XmlElement.of('name', service.toUpperCase()));
  if (workspace !== undefined) children.push(referenceElement('workspace', workspace.id));
  putXmlFile(draft, path, inOrder(service, children));
  return written<ServiceSettings>(draft, path);
}

/** Lets a workspace use the global settings of a service again; nothing happens when it does. */
export function deleteService(draft: Draft, workspace: Workspace, service: string): void {
  const settings = draft.service(service, workspace);
  if (settings !== undefined) draft.delete(settings.path);
}

/** Lays `<logging>` over `logging.xml`. */
export function changeLogging(draft: Draft, patch: XmlElement): LoggingSettings {
  if (draft.read(LOGGING_FILE) === undefined) putXmlFile(draft, LOGGING_FILE, inOrder('logging', bodyOf(patch, {})));
  else editXmlFile(draft, LOGGING_FILE, (root) => overlay(root, patch, {}));
  return written<LoggingSettings>(draft, LOGGING_FILE);
}
