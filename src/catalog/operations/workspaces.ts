import type { Namespace, Workspace } from '../objects.ts';
import type { Draft } from '../view.ts';
import type { Env } from './env.ts';

/** Makes a workspace with its namespace (`http://<name>` unless a URI is given). The first one becomes the default. 409 when it is there. */
export function createWorkspace(
  _draft: Draft,
  _options: { name: string; isolated?: boolean; uri?: string; makeDefault?: boolean },
  _env: Env,
): Workspace {
  throw new Error('not written yet');
}

/** Renames a workspace, its folder, and the prefix of its namespace; or changes `isolated`. What is absent stays. */
export function changeWorkspace(
  _draft: Draft,
  _workspace: Workspace,
  _change: { name?: string; isolated?: boolean },
  _env: Env,
): Workspace {
  throw new Error('not written yet');
}

/** 403 when it is not empty and `recurse` is not set. The next workspace becomes the default if this was it. */
export function deleteWorkspace(_draft: Draft, _workspace: Workspace, _options: { recurse: boolean }, _env: Env): void {
  throw new Error('not written yet');
}

export function setDefaultWorkspace(_draft: Draft, _workspace: Workspace): void {
  throw new Error('not written yet');
}

/** Makes a namespace, and its workspace. */
export function createNamespace(
  _draft: Draft,
  _options: { prefix: string; uri: string; isolated?: boolean },
  _env: Env,
): Namespace {
  throw new Error('not written yet');
}

/** Changes URI or isolation; stores carry the URI in their `namespace` parameter, which follows. */
export function changeNamespace(
  _draft: Draft,
  _namespace: Namespace,
  _change: { prefix?: string; uri?: string; isolated?: boolean },
  _env: Env,
): Namespace {
  throw new Error('not written yet');
}

/** Deletes a namespace that has no resources; the workspace stays. */
export function deleteNamespace(_draft: Draft, _namespace: Namespace): void {
  throw new Error('not written yet');
}
