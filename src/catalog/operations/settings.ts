import type { XmlElement } from '../../xml/index.ts';
import type { GlobalSettings, LocalSettings, LoggingSettings, ServiceSettings, Workspace } from '../objects.ts';
import type { Draft } from '../view.ts';
import type { Env } from './env.ts';

/** Lays `<global>` over `global.xml`. */
export function changeGlobalSettings(_draft: Draft, _patch: XmlElement, _env: Env): GlobalSettings {
  throw new Error('not written yet');
}

/** Lays the fields of `<contact>` over those of the global settings, or of a workspace's. */
export function changeContact(_draft: Draft, _patch: XmlElement, _env: Env): GlobalSettings {
  throw new Error('not written yet');
}

/** Makes or changes a workspace's own settings. */
export function changeLocalSettings(
  _draft: Draft,
  _workspace: Workspace,
  _patch: XmlElement,
  _env: Env,
): LocalSettings {
  throw new Error('not written yet');
}

export function deleteLocalSettings(_draft: Draft, _workspace: Workspace): void {
  throw new Error('not written yet');
}

/** Makes or changes the settings of a service (`<wms>`, ...), global or of a workspace. */
export function changeService(
  _draft: Draft,
  _workspace: Workspace | undefined,
  _patch: XmlElement,
  _env: Env,
): ServiceSettings {
  throw new Error('not written yet');
}

export function deleteService(_draft: Draft, _workspace: Workspace, _service: string): void {
  throw new Error('not written yet');
}

export function changeLogging(_draft: Draft, _patch: XmlElement): LoggingSettings {
  throw new Error('not written yet');
}
