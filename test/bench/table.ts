import { type Samples } from './samples';

/** One figure beside its floor: what the same machine needs, in the same run, for the least that has to be done. */
export interface Figure {
  readonly name: string;
  readonly samples: Samples;
  readonly floor: { readonly name: string; readonly samples: Samples };
  /** The ratio that is aimed at; null where none is set. */
  readonly goal: number | null;
}

/** Prints the figures as ratios of medians, with the spread (10th to 90th percentile) beside them. */
export function printFigures(figures: readonly Figure[]): void {
  const header = ['what', 'median ms', '10 % to 90 %', 'floor', 'median ms', '10 % to 90 %', 'ratio', 'goal'];
  const rows = figures.map(({ name, samples, floor, goal }) => [
    `${name} (${samples.count})`,
    milliseconds(samples.median),
    spread(samples),
    floor.name,
    milliseconds(floor.samples.median),
    spread(floor.samples),
    (samples.median / floor.samples.median).toFixed(2),
    goal === null ? '' : `≤ ${goal}`,
  ]);
  const widths = header.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column])].map((cell) => cell.length)),
  );
  for (const row of [header, widths.map((width) => '-'.repeat(width)), ...rows]) {
    process.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column])).join('  ')}\n`);
  }
}

function spread(samples: Samples): string {
  return `${milliseconds(samples.quantile(0.1))} to ${milliseconds(samples.quantile(0.9))}`;
}

function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}
