import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Labels of a sample: a bounded set of values each. */
export type Labels = Readonly<Record<string, string>>;

/**
 * Metrics in Prometheus' text format: a family, then its samples.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/ version 0.0.4
 */
export class Exposition {
  text = '';

  family(name: string, type: 'gauge' | 'counter' | 'histogram', help: string): void {
    this.text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(
      ([key, text]) => `${key}="${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`,
    );
    this.text += `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${Number.isNaN(value) ? 'NaN' : value}\n`;
  }

  gauge(name: string, help: string, value: number): void {
    this.family(name, 'gauge', help);
    this.sample(name, {}, value);
  }

  counter(name: string, help: string, value: number): void {
    this.family(name, 'counter', help);
    this.sample(name, {}, value);
  }
}

export const EXPOSITION_TYPE = 'text/plain;version=0.0.4;charset=utf-8';

/** What every process tells of itself. */
export class ProcessMetrics {
  readonly #loopDelay = monitorEventLoopDelay({ resolution: 20 });

  constructor() {
    this.#loopDelay.enable();
  }

  write(out: Exposition): void {
    const memory = process.memoryUsage();
    out.gauge('process_resident_memory_bytes', 'Memory of this process.', memory.rss);
    out.gauge('nodejs_heap_used_bytes', 'JavaScript heap in use.', memory.heapUsed);
    out.gauge('nodejs_external_memory_bytes', 'Buffers outside the heap.', memory.external);
    out.counter('process_cpu_seconds_total', 'Processor time used.', cpuSeconds());
    out.gauge('process_start_time_seconds', 'When the process started, since 1970.', performance.timeOrigin / 1000);
    out.gauge(
      'nodejs_eventloop_lag_p99_seconds',
      'How late timers were since the last look.',
      this.#loopDelay.percentile(99) / 1e9,
    );
    this.#loopDelay.reset();
  }

  close(): void {
    this.#loopDelay.disable();
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
