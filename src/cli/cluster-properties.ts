import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseProperties } from '../security/index.ts';
import type { ServeOptions } from './serve-options.ts';

/** What a `cluster.properties` says: all its entries, and those of our options that follow from them. */
export interface ClusterProperties {
  readonly entries: Readonly<Record<string, string>>;
  readonly options: Partial<Pick<ServeOptions, 'name' | 'role' | 'log' | 'group'>>;
}

/**
 * Reads the settings of GeoServer's cluster extension from the node's cluster folder. `instanceName` is the node's name, `group` its cluster's;
 * `toggleMaster=false` or `readOnly=true` make a replica, `toggleSlave=false` pauses the node; `brokerURL` is the log where it
 * is one that can be followed here, and `embeddedBroker=true` without one is the embedded log. A file without secrets in
 * it: those of `brokerURL` are left out of `entries`.
 */
export function readClusterProperties(clusterDir: string): ClusterProperties {
  const file = path.join(clusterDir, 'cluster.properties');
  if (!existsSync(file)) return { entries: {}, options: {} };
  const all = parseProperties(readFileSync(file));
  const get = (key: string) => all.get(key)?.trim() || undefined;
  const brokerUrl = get('brokerURL');
  const followable = brokerUrl !== undefined && /^(?:wss?:|embedded:|failover:\(wss?:)/.test(brokerUrl);
  const role =
    get('toggleSlave') === 'false'
      ? 'paused'
      : get('toggleMaster') === 'false' || get('readOnly') === 'true'
        ? 'replica'
        : get('toggleMaster') === 'true'
          ? 'both'
          : undefined;
  const log = followable ? brokerUrl : get('embeddedBroker') === 'true' ? 'embedded:' : undefined;
  return {
    entries: Object.fromEntries([...all].map(([key, value]) => [key, value.replace(/\/\/[^/@\s,()]*@/g, '//')])),
    options: {
      ...(get('instanceName') === undefined ? {} : { name: get('instanceName') }),
      ...(get('group') === undefined ? {} : { group: get('group') }),
      ...(role === undefined ? {} : { role }),
      ...(log === undefined ? {} : { log }),
    },
  };
}
