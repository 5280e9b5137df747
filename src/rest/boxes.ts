import type { BoundingBox } from '../catalog/index.ts';
import { findCrs } from '../crs/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { el } from './answers.ts';
import { javaDouble } from './json.ts';

/** An envelope as GeoServer writes it: `minx maxx miny maxy crs`, numbers in Java's notation. */
export function boxElement(name: string, box: BoundingBox): XmlElement {
  return el(name, [
    el('minx', javaDouble(box.minx)),
    el('maxx', javaDouble(box.maxx)),
    el('miny', javaDouble(box.miny)),
    el('maxy', javaDouble(box.maxy)),
    box.crs === undefined ? undefined : el('crs', box.crs, crsClass(box.crs)),
  ]);
}

/** The `class` attribute of a CRS field: `projected` when it is. */
export function crsClass(crs: string): Record<string, string> {
  const projected = /^\s*PROJCS/i.test(crs) || findCrs(crs)?.kind === 'projected';
  return projected ? { class: 'projected' } : {};
}
