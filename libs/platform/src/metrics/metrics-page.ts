import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { logLoss } from '../logging/log-output';

export interface Sample {
  readonly gauge: Gauge;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Values that are fetched for a scrape, from outside the process or by a look around. */
export interface Collector {
  /** Label of `dms_collector_up` and `dms_scrape_errors_total`. */
  readonly name: string;
  /** The gauges that it sets: they are left out where it fails, for what is not known must not look known. */
  readonly gauges: readonly Gauge[];
  /** All values. It may fail, and take long. */
  collect(): Promise<readonly Sample[]>;
}

interface Source {
  readonly collector: Collector;
  /** By performance.now(). */
  freshUntil: number;
  running: Promise<void> | null;
}

/** Several scrapers, or a person with curl, make no more work than one. */
const FRESH_MS = 5_000;
/** A scrape is answered after this long, whatever does not answer. */
const COLLECT_MS = 2_000;

/** What `GET /metrics` answers: the registry of one program and what is fetched at each scrape. */
export class MetricsPage {
  readonly registry = new Registry();
  readonly #sources: Source[] = [];
  readonly #up = new Gauge({
    name: 'dms_collector_up',
    help: '1 if the values of this collector could be fetched at the last scrape, else 0 and they are missing.',
    labelNames: ['collector'],
    registers: [this.registry],
  });
  readonly #errors = new Counter({
    name: 'dms_scrape_errors_total',
    help: 'Scrapes at which the values of a collector could not be fetched, or not in time.',
    labelNames: ['collector'],
    registers: [this.registry],
  });

  constructor(program: string, version: string) {
    collectDefaultMetrics({ register: this.registry });
    leaveOutMisnamed(this.registry);
    new Gauge({
      name: 'dms_build_info',
      help: 'Always 1; which program and version this is.',
      labelNames: ['program', 'version', 'node_version'],
      registers: [this.registry],
    }).set({ program, version, node_version: process.versions.node }, 1);
    new Counter({
      name: 'dms_log_lines_lost_total',
      help: 'Lines of the log that could not be written, or that its reader did not take.',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(logLoss().lines);
      },
    });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  add(collector: Collector): void {
    this.#sources.push({ collector, freshUntil: -Infinity, running: null });
    this.#errors.inc({ collector: collector.name }, 0);
  }

  /** The page, within bounded time. It fails for nothing that a collector does. */
  async text(): Promise<string> {
    await Promise.all(this.#sources.map((source) => this.#fetch(source)));
    return this.registry.metrics();
  }

  async #fetch(source: Source): Promise<void> {
    if (performance.now() < source.freshUntil) return;
    const { name, gauges } = source.collector;
    // One that has not ended since the last scrape is not begun beside itself.
    source.running ??= this.#collect(source);
    try {
      await within(source.running);
      this.#up.set({ collector: name }, 1);
    } catch {
      this.#up.set({ collector: name }, 0);
      this.#errors.inc({ collector: name });
      clear(gauges);
    }
  }

  async #collect(source: Source): Promise<void> {
    try {
      const samples = await source.collector.collect();
      clear(source.collector.gauges);
      for (const { gauge, labels = {}, value } of samples) gauge.set(labels, value);
      source.freshUntil = performance.now() + FRESH_MS;
    } finally {
      source.running = null;
    }
  }
}

/** Some gauges of prom-client are called as counters are (`…_total`). They are sums of others, which stay. */
function leaveOutMisnamed(registry: Registry): void {
  for (const metric of registry.getMetricsAsArray())
    if (metric instanceof Gauge && metric.name.endsWith('_total')) registry.removeSingleMetric(metric.name);
}

function clear(gauges: readonly Gauge[]): void {
  for (const gauge of gauges) {
    gauge.reset();
    // One without labels shows 0 after a reset, which would be a value.
    gauge.remove({});
  }
}

/** @throws Error where it takes too long; it is not stopped then */
async function within(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('Not in time')), COLLECT_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
