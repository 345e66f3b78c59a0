import { countBy } from '../chaos/checks';
import { type RaceOutcome } from './race-kinds';
import { type RaceResult } from './run-races';

/** What must be empty: what the races showed and the service promises not to do. */
export function brokenPromises(results: readonly RaceResult[]): string[] {
  return results.flatMap(({ kind, writers, outcomes }) =>
    outcomes
      .flatMap(({ lies, stacked, leaks, wrong }) => [
        ...lies.map((what) => `lie: ${what}`),
        ...stacked.map((what) => `stacked: ${what}`),
        ...leaks.map((what) => `leak: ${what}`),
        ...wrong.map((what) => `wrong: ${what}`),
      ])
      .map((what) => `${kind}, ${writers} writer(s): ${what}`),
  );
}

/** One line for each kind of race and number of writers, and then the answers that were no success. */
export function raceTable(results: readonly RaceResult[]): string {
  const header = [
    ...['race', 'writers', 'pairs', 'lies', 'leaks', 'stacked', 'wrong'],
    ...['attaches', 'p50 ms', 'p99 ms', 'mounts', 'p50 ms', 'p99 ms'],
  ];
  const rows = results.map(({ kind, writers, outcomes }) => {
    const attaches = durations(outcomes, true);
    const mounts = durations(outcomes, false);
    return [
      ...[kind, writers, outcomes.length],
      ...(['lies', 'leaks', 'stacked', 'wrong'] as const).map((name) => sum(outcomes, name)),
      ...[attaches.length, quantile(attaches, 0.5), quantile(attaches, 0.99)],
      ...[mounts.length, quantile(mounts, 0.5), quantile(mounts, 0.99)],
    ].map(String);
  });
  const widths = header.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column])].map((cell) => cell.length)),
  );
  const lines = [header, ...rows].map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  '),
  );
  return [...lines, ...refusals(results)].join('\n');
}

function sum(outcomes: readonly RaceOutcome[], name: 'lies' | 'leaks' | 'stacked' | 'wrong'): number {
  return outcomes.reduce((total, outcome) => total + outcome[name].length, 0);
}

/** How long the mounts of the races took: those that joined a mount, or those that made one. */
function durations(outcomes: readonly RaceOutcome[], joined: boolean): number[] {
  return outcomes
    .flatMap(({ replies }) => replies)
    .filter(({ action, reply }) => action === 'mount' && reply.status === 200)
    .filter(({ reply }) => (reply.body.reused_existing === true) === joined)
    .map(({ reply }) => reply.tookMs)
    .sort((one, other) => one - other);
}

function quantile(sorted: readonly number[], part: number): string {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return value === undefined ? '–' : value.toFixed(value < 10 ? 1 : 0);
}

function refusals(results: readonly RaceResult[]): string[] {
  return results.flatMap(({ kind, writers, outcomes }) => {
    const replies = outcomes.flatMap(({ replies: all }) => all).filter(({ reply }) => reply.status !== 200);
    const counts = countBy(
      replies,
      ({ action, reply }) => `${action} ${reply.status} ${reply.body.error_code ?? ''}`,
    );
    return [...counts].sort().map(([name, count]) => `${kind}, ${writers} writer(s): ${count} × ${name}`);
  });
}
