import type { Resource } from '../catalog/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { textOf } from './payload.ts';

/** What a PUT of a resource computes again from its data. */
export interface WantedAgain {
  readonly native: boolean;
  readonly latLon: boolean;
  /** The schema of a feature type, the bands of a coverage. */
  readonly more: boolean;
  /** The client asked; otherwise data that cannot be had leave everything as it is. */
  readonly explicitly: boolean;
  /** CRS and policy that hold after the change. */
  readonly srs: string;
  readonly policy: string;
}

/**
 * Without the parameter: the native box when CRS or policy changed and none was sent, the box in longitude and latitude when
 * what it comes from changed and none was sent. With it: the things it names.
 *
 * @param options.more  the parameter's word for the third thing
 */
export function wantedAgain(options: {
  asked: string | undefined;
  sent: XmlElement;
  resource: Resource;
  more: string;
}): WantedAgain {
  const { asked, sent, resource, more } = options;
  const has = (name: string) => sent.child(name) !== undefined;
  const srs = textOf(sent, 'srs') ?? resource.srs ?? 'EPSG:4326';
  const policy = textOf(sent, 'projectionPolicy') ?? resource.projectionPolicy;
  if (asked !== undefined && asked !== '') {
    const words = asked.split(',').map((word) => word.trim().toLowerCase());
    return {
      native: words.includes('nativebbox'),
      latLon: words.includes('latlonbbox'),
      more: words.includes(more),
      explicitly: true,
      srs,
      policy,
    };
  }
  const reinterpreted = srs !== (resource.srs ?? srs) || policy !== resource.projectionPolicy;
  return {
    native: reinterpreted && !has('nativeBoundingBox'),
    latLon: (reinterpreted || has('nativeBoundingBox')) && !has('latLonBoundingBox'),
    more: false,
    explicitly: false,
    srs,
    policy,
  };
}
