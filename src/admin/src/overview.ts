import { useEffect, useState } from 'react';

/** What the server tells anyone: `/geoserver/cluster/overview.json`. */
export interface Overview {
  /** Name of the node that answered. */
  readonly node: string;
  readonly version: string;
  readonly position: number;
  readonly nodes: readonly NodeSummary[];
  readonly layers: readonly LayerSummary[];
  /** Something that whoever runs this node should do. */
  readonly note?: string;
}

export interface NodeSummary {
  readonly name: string;
  /** Base URL with the context path. */
  readonly url: string;
  readonly role: 'both' | 'replica' | 'paused';
  readonly readOnly: boolean;
  readonly version: string;
  readonly state: string;
  /** ISO 8601: when that state began. */
  readonly since: string;
  /** Why, when it is not in step. */
  readonly reason?: string;
  readonly position: number;
  /** Records behind the head of the log. */
  readonly lag: number;
  /** How long it has not been in step. */
  readonly lagSeconds: number;
  readonly digest: string;
}

export interface LayerSummary {
  /** `workspace:name`; a global group has no prefix. */
  readonly name: string;
  readonly title: string;
  readonly workspace?: string;
  readonly type: 'VECTOR' | 'RASTER' | 'GROUP' | 'REMOTE' | 'WMS' | 'WMTS';
  /** west, south, east, north in degrees; absent when unknown. */
  readonly bbox?: readonly [number, number, number, number];
}

export type Loaded =
  | { readonly state: 'loading' }
  | { readonly state: 'loaded'; readonly overview: Overview }
  | { readonly state: 'lost'; readonly reason: string; readonly last: Overview | undefined };

/** Context path of the page: everything before `web/`. */
export const contextUrl = new URL(
  window.location.pathname.replace(/(web\/?)?(index\.html)?$/, ''),
  window.location.href,
);

/** Asks again each second while the page is visible. */
export function useOverview(): Loaded {
  const [loaded, setLoaded] = useState<Loaded>({ state: 'loading' });
  useEffect(() => {
    let stopped = false;
    let timer: number | undefined;
    const ask = async () => {
      try {
        const answer = await fetch(new URL('cluster/overview.json', contextUrl), { cache: 'no-store' });
        if (!answer.ok) throw new Error(`the node answered ${answer.status}`);
        const overview = (await answer.json()) as Overview;
        if (!stopped) setLoaded({ state: 'loaded', overview });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (!stopped)
          setLoaded((before) => ({
            state: 'lost',
            reason,
            last: before.state === 'loaded' ? before.overview : before.state === 'lost' ? before.last : undefined,
          }));
      }
      if (!stopped) timer = window.setTimeout(ask, document.hidden ? 5000 : 1000);
    };
    void ask();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, []);
  return loaded;
}
