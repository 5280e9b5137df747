/** The five styles that every directory is expected to have. */
import { type CatalogView, createStyle, type Draft, type Env } from '../catalog/index.ts';
import { DEFAULT_STYLES } from '../render/index.ts';
import { treePath } from '../tree/index.ts';
import { el } from './answers.ts';

/** Makes the default styles that are missing; a body file that is there already is left alone. */
export function ensureDefaultStyles(draft: Draft, env: Env): void {
  for (const [name, body] of Object.entries(DEFAULT_STYLES)) {
    if (globalStyle(draft, name)) continue;
    const filename = `default_${name}.sld`;
    const entry = el('style', [
      el('name', name),
      el('format', 'sld'),
      el('languageVersion', [el('version', '1.0.0')]),
      el('filename', filename),
    ]);
    const isThere = draft.exists(treePath(`styles/${filename}`));
    createStyle(draft, undefined, entry, env, isThere ? undefined : Buffer.from(body));
  }
}

function globalStyle(view: CatalogView, name: string): boolean {
  return view.style(name) !== undefined;
}
