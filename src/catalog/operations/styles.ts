import type { XmlElement } from '../../xml/index.ts';
import type { Style, Workspace } from '../objects.ts';
import type { Draft } from '../view.ts';
import type { Env } from './env.ts';

/** Makes a style's entry from `<style>` (`name`, `filename`, `format`, ...), and its body file when given. 403 when the name, or with a body the file, is there. */
export function createStyle(
  _draft: Draft,
  _workspace: Workspace | undefined,
  _element: XmlElement,
  _env: Env,
  _body?: Uint8Array,
): Style {
  throw new Error('not written yet');
}

/** Lays the given elements over the stored ones; a new name renames the `.xml`, and the body stays under its file name. */
export function changeStyle(_draft: Draft, _style: Style, _patch: XmlElement, _env: Env): Style {
  throw new Error('not written yet');
}

/** Replaces the body; format and version are recorded when they differ. The body's file takes the extension of a new format. */
export function writeStyleBody(
  _draft: Draft,
  _style: Style,
  _body: Uint8Array,
  _as: { format?: string; languageVersion?: string },
  _env: Env,
): Style {
  throw new Error('not written yet');
}

/** 403 when a layer uses it and `recurse` is not set; then those layers get the default style for their geometry. `purge` deletes the body file too, unless another style uses it. */
export function deleteStyle(
  _draft: Draft,
  _style: Style,
  _options: { recurse: boolean; purge: boolean },
  _env: Env,
): void {
  throw new Error('not written yet');
}
