import path from 'node:path';
import { type OptionTable, parsePort, wholeNumber } from '../options.ts';

export interface DemoOptions {
  readonly dir: string;
  readonly port: number;
  readonly host: string;
  readonly nodes: number;
  readonly from?: string;
  readonly log?: string;
  readonly secretFile?: string;
}

export const NODES_MAX = 9;

export const DEMO_OPTIONS: OptionTable = {
  dir: {
    flags: '--dir <folder>',
    description: 'where the nodes keep their data directories; kept between starts',
    default: path.join('.graticule', 'demo'),
  },
  port: {
    flags: '--port <base>',
    description: 'port of the first node; the others take the next ones',
    default: 8080,
    parse: parsePort,
  },
  host: {
    flags: '--host <address>',
    description: 'address to listen at; 0.0.0.0 lets other machines in',
    default: '127.0.0.1',
  },
  nodes: {
    flags: '--nodes <number>',
    description: 'how many nodes; the first two take changes, the others are replicas',
    default: 3,
    parse: (text) => wholeNumber(text, 1, NODES_MAX),
  },
  from: {
    flags: '--from <data-dir>',
    description: 'start from a copy of this GeoServer data directory instead of the demo data',
  },
  log: {
    flags: '--log <url>',
    description:
      'use this log instead of holding one: nats://, postgres://, stomp://, or ws:// of a broker or a node; an empty one begins with the demo data',
  },
  secretFile: {
    flags: '--secret-file <file>',
    env: 'GRATICULE_SECRET_FILE',
    description:
      'file with the secret of the cluster or broker at --log ws://; GRATICULE_CLUSTER_SECRET holds the secret itself',
  },
};
