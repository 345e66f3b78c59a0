import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeclaredMetric, metricsOf } from '../docs/metrics';
import { ROOT } from '../fleet/programs';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const METRICS = new Map<string, DeclaredMetric>(
  (['dms-client', 'dms-server'] as const).flatMap((program) =>
    metricsOf(program).map((metric) => [metric.name, metric] as const),
  ),
);
/** Put there by Prometheus, and by a histogram. */
const ALWAYS = ['job', 'instance', 'le'];
/** What the rules use of others. */
const OTHERS = /\b(up|nodejs_\w+|process_\w+)\b/;

interface Panel {
  readonly targets?: readonly { readonly expr: string }[];
}

const rules = read('monitoring/alerts.yaml');
const expressions = [
  ...[...rules.matchAll(/expr: >-\n((?: {10}.*\n)+)/g)].map(([, expression]) => expression),
  ...(JSON.parse(read('monitoring/dashboard.json')) as { panels: Panel[] }).panels.flatMap(
    ({ targets = [] }) => targets.map(({ expr }) => expr),
  ),
];

/** The metric that a series belongs to. */
function metricOf(series: string): DeclaredMetric | undefined {
  return METRICS.get(series) ?? METRICS.get(series.replace(/_(bucket|sum|count)$/, ''));
}

/** Labels that are matched, and those that are grouped by. */
function labelsIn(expression: string): string[] {
  const matched = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(([, text]) =>
    [...text.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label]) => label),
  );
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, text]) => text.split(/,\s*/));
  return [...matched, ...grouped];
}

describe('what is watched', () => {
  it('is found in rules and dashboard', () => expect(expressions.length).toBeGreaterThan(50));

  it.each(expressions)('%s', (expression) => {
    const series = [...new Set(expression.match(/\bdms_\w+/g) ?? [])];
    if (series.length === 0) expect(expression).toMatch(OTHERS);
    const metrics = series.map((name) => metricOf(name) ?? name);
    expect(metrics.filter((metric) => typeof metric === 'string')).toEqual([]);
    const known = metrics.flatMap((metric) => (metric as DeclaredMetric).labels);
    expect(labelsIn(expression).filter((label) => ![...ALWAYS, ...known].includes(label))).toEqual([]);
  });
});

describe('metrics', () => {
  it.each([...METRICS.values()])(
    '$name is named as Prometheus recommends',
    ({ name, type, help, labels }) => {
      expect(name).toMatch(/^dms_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(help).toMatch(/\.$/);
      expect(labels.filter((label) => /jobid|target_id|operation/.test(label))).toEqual([]);
    },
  );

  it('do not use one name for two things', () => {
    const shared = metricsOf('dms-client').filter(({ name }) =>
      metricsOf('dms-server').some((other) => other.name === name),
    );
    expect(shared.map(({ name }) => name)).toEqual([
      'dms_build_info',
      'dms_collector_up',
      'dms_log_lines_lost_total',
      'dms_scrape_errors_total',
    ]);
  });
});

describe('runbooks', () => {
  const headings = read('docs/TROUBLESHOOTING.md')
    .split('\n')
    .flatMap((line) => /^#{2,3} (.*)$/.exec(line)?.[1] ?? [])
    .map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    );
  const alerts = [...rules.matchAll(/alert: (\w+)[\s\S]*?runbook_url: docs\/TROUBLESHOOTING\.md#(\S+)/g)].map(
    ([, name, anchor]) => ({ name, anchor }),
  );

  it('are named by every alert', () => expect(alerts).toHaveLength(rules.match(/alert: /g)?.length ?? 0));

  it.each(alerts)('$name leads to a section', ({ name, anchor }) => {
    expect(headings).toContain(anchor);
    expect(read('docs/TROUBLESHOOTING.md')).toContain(`\`${name}\``);
    expect(read('monitoring/alerts.test.yaml')).toContain(`alertname: ${name}\n`);
  });
});
