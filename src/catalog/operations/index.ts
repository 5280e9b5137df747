/**
 * What can be done to a catalog: synchronous functions over a draft that look up, validate, and record file operations,
 * or throw a `UserError` with the status and text of GeoServer's REST API.
 */
export type { Env } from './env.ts';
export { changeLayerGroup, createLayerGroup, deleteLayerGroup } from './layer-groups.ts';
export { addStyleToLayer, changeLayer, createLayer, deleteLayer } from './layers.ts';
export { changeResource, createResource, deleteResource } from './resources.ts';
export {
  changeContact,
  changeGlobalSettings,
  changeLocalSettings,
  changeLogging,
  changeService,
  deleteLocalSettings,
  deleteService,
} from './settings.ts';
export { changeStore, createStore, deleteStore } from './stores.ts';
export { changeStyle, createStyle, deleteStyle, writeStyleBody } from './styles.ts';
export {
  changeNamespace,
  changeWorkspace,
  createNamespace,
  createWorkspace,
  deleteNamespace,
  deleteWorkspace,
  setDefaultWorkspace,
} from './workspaces.ts';
