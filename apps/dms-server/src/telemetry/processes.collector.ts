import { Inject, Injectable } from '@nestjs/common';
import { type Collector, MetricsPage, type Sample } from '@app/platform/metrics';
import { Gauge } from 'prom-client';
import { type FuseProcessList } from '../inventory/inventory.service';
import { FuseProcessesService } from '../processes/fuse-processes.service';

/** The FUSE processes, as /proc has them. No mount is touched. */
@Injectable()
export class ProcessesCollector implements Collector {
  readonly name = 'fuse_processes';
  readonly #processes: Gauge;
  readonly #memory: Gauge;
  readonly #most: Gauge;
  readonly gauges: readonly Gauge[];

  constructor(
    page: MetricsPage,
    @Inject(FuseProcessesService) private readonly processes: FuseProcessList,
  ) {
    const gauge = (name: string, help: string, ...labelNames: string[]): Gauge =>
      new Gauge({ name, help, labelNames, registers: [page.registry] });
    this.#processes = gauge(
      'dms_node_fuse_processes',
      'FUSE processes that this node knows; state ended: one that is gone and not yet cleared away.',
      'state',
    );
    this.#memory = gauge(
      'dms_node_fuse_memory_bytes',
      'Resident memory of all FUSE processes of this node together.',
    );
    this.#most = gauge('dms_node_fuse_memory_max_bytes', 'Resident memory of the largest FUSE process.');
    this.gauges = [this.#processes, this.#memory, this.#most];
    page.add(this);
  }

  async collect(): Promise<readonly Sample[]> {
    const processes = await this.processes.list();
    const alive = processes.filter((process) => process.alive);
    const bytes = alive.map(({ rss_bytes }) => rss_bytes ?? 0);
    return [
      { gauge: this.#processes, labels: { state: 'running' }, value: alive.length },
      { gauge: this.#processes, labels: { state: 'ended' }, value: processes.length - alive.length },
      { gauge: this.#memory, value: bytes.reduce((sum, n) => sum + n, 0) },
      { gauge: this.#most, value: Math.max(0, ...bytes) },
    ];
  }
}
