import { ClientMetrics } from '../../apps/dms-client/src/telemetry/client-metrics';
import { LedgerCollector } from '../../apps/dms-client/src/telemetry/ledger.collector';
import { NodesCollector } from '../../apps/dms-client/src/telemetry/nodes.collector';
import { ProcessGauges } from '../../apps/dms-client/src/telemetry/process-gauges';
import { NodeGauges } from '../../apps/dms-server/src/telemetry/node-gauges';
import { NodeMetrics } from '../../apps/dms-server/src/telemetry/node-metrics';
import { ProcessesCollector } from '../../apps/dms-server/src/telemetry/processes.collector';
import { MetricsPage } from '@app/platform/metrics';
import { METRICS_INTRODUCTION, METRICS_TRACES } from './metrics-text';

/** A metric as its program declares it. */
export interface DeclaredMetric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export type Program = 'dms-client' | 'dms-server';

/** The metrics of a program that are its own; those of Node.js and of the process come beside them. */
export function metricsOf(program: Program): DeclaredMetric[] {
  const page = new MetricsPage(program, '0.0.0');
  // Declared in the constructors, of which none looks at what it is given before the first scrape.
  const unused = {} as never;
  if (program === 'dms-client') {
    const ledger = { onCommit: () => undefined } as never;
    const metrics = new ClientMetrics(page, ledger);
    metrics.onModuleDestroy();
    void [new LedgerCollector(page, unused), new NodesCollector(page, unused, unused)];
    void new ProcessGauges(page, unused, unused, unused, unused);
  } else {
    new NodeMetrics(page).onModuleDestroy();
    void new ProcessesCollector(page, unused);
    void new NodeGauges(page, unused, unused, unused, unused, unused, unused, unused, unused, unused);
  }
  const declared = page.registry.getMetricsAsArray() as unknown as (Omit<DeclaredMetric, 'labels'> & {
    readonly labelNames: readonly string[];
  })[];
  return declared
    .filter(({ name }) => name.startsWith('dms_'))
    .map(({ name, type, help, labelNames }) => ({
      name,
      type,
      help,
      labels: labelNames.filter((label) => label !== 'le'),
    }))
    .sort((one, other) => one.name.localeCompare(other.name));
}

/** docs/METRICS.md, from the metrics as the programs declare them. */
export function metricsDocument(): string {
  return [
    METRICS_INTRODUCTION,
    ...table('dms-client', metricsOf('dms-client')),
    ...table('dms-server', metricsOf('dms-server')),
    METRICS_TRACES,
  ].join('\n');
}

function table(program: string, metrics: readonly DeclaredMetric[]): string[] {
  return [
    `## ${program}`,
    '',
    '| metric | type | unit | labels | meaning |',
    '|---|---|---|---|---|',
    ...metrics.map(({ name, type, help, labels }) => {
      const shown = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${unitOf(name)} | ${shown} | ${help} |`;
    }),
    '',
  ];
}

function unitOf(name: string): string {
  if (/_seconds$/.test(name)) return 'seconds';
  return /_bytes$/.test(name) ? 'bytes' : '';
}
