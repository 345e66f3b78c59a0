import { type MigrationPlan } from '../../ledger/migrate.service';
import { type View } from './view';

/** Measured on two cores; it says of which size the pause is, not how long it is. */
const SECONDS_PER_ROW = 1.5 / 100_000;

/** What people see of a migration that was run. */
export function migrationView({ migrations }: { readonly migrations: readonly string[] }): View {
  if (migrations.length === 0) return ['The schema is up to date.'];
  return [`These migrations were run: ${migrations.join(', ')}`];
}

/** What people see of `dms migrate --dry-run`. */
export function migrationPlanView({ pending, takeover, problems }: MigrationPlan): View {
  if (pending.length === 0) return ['The schema is up to date.'];
  return [
    `These migrations would be run: ${pending.join(', ')}`,
    ...(takeover === null ? [] : [takeoverLine(takeover)]),
    ...problems.map((problem) => `In the way: ${problem}`),
  ];
}

function takeoverLine({ rows, held }: NonNullable<MigrationPlan['takeover']>): string {
  const pause = Math.max(1, Math.ceil(rows * SECONDS_PER_ROW));
  return `The Python system's table is taken over with its ${rows} row(s), of which ${held} are mounted. Its clients wait meanwhile, for about ${pause} s.`;
}
