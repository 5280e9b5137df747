import { VERSION } from '../base/index.ts';
import type { ClusterNode, NodeCounts } from '../cluster/index.ts';
import type { RendererStats } from '../render/index.ts';
import { Exposition, ProcessMetrics } from './exposition.ts';
import { type NodeSummary, nodesOf } from './overview.ts';

/** What kind of request it was: a bounded set, whatever clients send. */
export const REQUEST_CLASSES = [
  'rest',
  'wms',
  'wfs',
  'wcs',
  'wmts',
  'ows',
  'gwc',
  'ogc',
  'page',
  'cluster',
  'other',
] as const;
export type RequestClass = (typeof REQUEST_CLASSES)[number];

const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const COUNTS: readonly (readonly [name: string, help: string, count: keyof NodeCounts])[] = [
  ['graticule_applied_records_total', 'Records applied, whoever made them.', 'records'],
  ['graticule_applied_changes_total', 'Changes applied, whoever made them.', 'changes'],
  ['graticule_made_changes_total', 'Changes made through this node.', 'made'],
  [
    'graticule_append_collisions_total',
    'Records that found another in their place, and were computed again.',
    'collisions',
  ],
  ['graticule_append_uncertain_total', 'Appends whose fate had to be looked up in the log.', 'uncertain'],
  ['graticule_divergences_total', 'Times that the tree was not what the log said.', 'divergences'],
  ['graticule_peer_divergences_total', 'Times that another node told another digest for a position.', 'peersDiffered'],
  ['graticule_snapshots_total', 'Snapshots that this node put into the log.', 'snapshots'],
];

interface Series {
  readonly buckets: number[];
  count: number;
  sumSeconds: number;
  readonly byStatus: Map<number, number>;
}

/** Counts requests, and writes everything that is worth a graph in Prometheus' text format. */
export class Metrics {
  readonly #series = new Map<RequestClass, Series>();
  readonly #process = new ProcessMetrics();

  count(what: RequestClass, status: number, seconds: number): void {
    let series = this.#series.get(what);
    if (series === undefined) {
      series = { buckets: BUCKETS_SECONDS.map(() => 0), count: 0, sumSeconds: 0, byStatus: new Map() };
      this.#series.set(what, series);
    }
    series.count++;
    series.sumSeconds += seconds;
    series.byStatus.set(status, (series.byStatus.get(status) ?? 0) + 1);
    for (const [index, bound] of BUCKETS_SECONDS.entries()) if (seconds <= bound) series.buckets[index]!++;
  }

  /** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
  text(node: ClusterNode, renderer: RendererStats | undefined): string {
    const out = new Exposition();
    const report = node.status();
    out.family('graticule_info', 'gauge', 'Version and role of this node.');
    out.sample('graticule_info', { version: VERSION, node: report.name, role: report.role }, 1);
    out.family('graticule_node_state', 'gauge', 'State of this node: 1 for the one that it is in.');
    for (const state of ['starting', 'in-step', 'behind', 'stale', 'stopped', 'paused'])
      out.sample('graticule_node_state', { state }, report.state === state ? 1 : 0);
    out.gauge('graticule_position', 'Last record that this node has applied.', report.position);
    out.gauge('graticule_log_head', 'Last record of the log, as last heard of.', report.head);
    out.gauge('graticule_lag_records', 'Records behind the head.', Math.max(0, report.head - report.position));
    out.gauge('graticule_lag_seconds', 'How long this node has not been in step; 0 when it is.', report.lagSeconds);
    out.gauge('graticule_state_since_seconds', 'When the state began, since 1970.', Date.parse(report.since) / 1000);
    out.gauge('graticule_unwritten_records', 'Records applied and not yet on this disk.', report.unwritten);
    out.gauge('graticule_files', 'Files in the replicated tree.', report.files);
    out.family('graticule_catalog_objects', 'gauge', 'Objects in the catalog.');
    for (const [kind, count] of Object.entries(node.catalog.counts()))
      out.sample('graticule_catalog_objects', { kind }, count);
    this.#members(out, node);
    for (const [name, help, count] of COUNTS) out.counter(name, help, report.counts[count]);
    this.#requests(out);
    if (renderer !== undefined) {
      out.gauge('graticule_renderer_children', 'Processes that draw.', renderer.children);
      out.gauge('graticule_renderer_drawing', 'Maps being drawn.', renderer.drawing);
      out.gauge('graticule_renderer_waiting', 'Maps waiting to be drawn.', renderer.waiting);
      out.counter('graticule_renderer_drawn_total', 'Maps drawn.', renderer.drawn);
      out.counter('graticule_renderer_failed_total', 'Maps that could not be drawn.', renderer.failed);
      out.counter('graticule_renderer_restarts_total', 'Drawing processes that were replaced.', renderer.restarts);
    }
    this.#process.write(out);
    return out.text;
  }

  close(): void {
    this.#process.close();
  }

  /** What this node hears of the others, itself included. */
  #members(out: Exposition, node: ClusterNode): void {
    const members = nodesOf(node);
    const families: [name: string, help: string, value: (member: NodeSummary) => number][] = [
      ['graticule_member_position', 'Last record that a node heard of has applied.', ({ position }) => position],
      ['graticule_member_lag_records', 'Records that it is behind.', ({ lag }) => lag],
      ['graticule_member_lag_seconds', 'How long it has not been in step.', ({ lagSeconds }) => lagSeconds],
      ['graticule_member_in_step', '1 when it is in step.', ({ state }) => (state === 'in-step' ? 1 : 0)],
    ];
    for (const [name, help, value] of families) {
      out.family(name, 'gauge', help);
      for (const member of members) out.sample(name, { member: member.name, role: member.role }, value(member));
    }
  }

  #requests(out: Exposition): void {
    out.family('graticule_requests_total', 'counter', 'Requests answered, by kind and status.');
    for (const [what, series] of this.#series)
      for (const [status, count] of series.byStatus)
        out.sample('graticule_requests_total', { class: what, status: String(status) }, count);
    const name = 'graticule_request_seconds';
    out.family(name, 'histogram', 'Time from request to the end of its answer.');
    for (const [what, series] of this.#series) {
      for (const [index, bound] of BUCKETS_SECONDS.entries())
        out.sample(`${name}_bucket`, { class: what, le: String(bound) }, series.buckets[index]!);
      out.sample(`${name}_bucket`, { class: what, le: '+Inf' }, series.count);
      out.sample(`${name}_sum`, { class: what }, series.sumSeconds);
      out.sample(`${name}_count`, { class: what }, series.count);
    }
  }
}

/** @param path  without query, with the context path */
export function requestClass(path: string): RequestClass {
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments[0] === 'geoserver') segments.shift();
  const head = segments[0] ?? '';
  if (head === 'rest' || head === 'gwc' || head === 'cluster' || head === 'ogc') return head;
  if (head === '' || head === 'web' || head === 'assets') return 'page';
  const service = segments.at(-1)!.toLowerCase();
  return (['wms', 'wfs', 'wcs', 'wmts', 'ows'] as const).find((name) => name === service) ?? 'other';
}
