import { type Setting } from './rules';
import { copyOf, copyOfJob, copyOfRow, copyOfWorker, mayFail, Phase, spend, type State } from './state';
import { type Steps } from './step';

/** What the database holds, of a state. */
export type Ledger = Pick<State, 'row' | 'jobs' | 'operations'>;

/**
 * A transaction whose COMMIT is under way, on another node of a Galera cluster than the others: it has decided by the
 * ledger as it was, and nobody sees its row lock.
 */
export interface OpenTransaction {
  readonly worker: number;
  readonly before: Ledger;
  readonly after: Ledger;
  readonly workerAfter: State['workers'][number];
  readonly workerBefore: State['workers'][number];
  /** Another transaction was committed since it began: each writes the target's row. */
  readonly isOvertaken: boolean;
  readonly violation: string | null;
}

/** One transaction of a worker: at once; or it overlaps with what others commit before its own COMMIT. */
export function transact(
  steps: Steps,
  index: number,
  text: string,
  change: (next: State) => string | null | void,
): void {
  steps.may(text, (next) => {
    const violation = change(next);
    overtake(next);
    return violation;
  });
  const s = steps.state;
  if (s.open !== null || !mayFail(s, 'overlap')) return;
  steps.mayFromOutside(`${text}: its COMMIT is under way`, (next) => {
    spend(next, 'overlap');
    const done = copyOf(next);
    const violation = change(done) ?? null;
    const workerBefore = next.workers[index];
    next.open = {
      ...{ worker: index, before: ledgerOf(next), after: ledgerOf(done), violation, isOvertaken: false },
      ...{ workerBefore: copyOfWorker(workerBefore), workerAfter: done.workers[index] },
    };
    workerBefore.phase = Phase.Commits;
  });
}

/** A transaction of dms-client was committed: it has written the target's row. */
export function overtake(next: State): void {
  if (next.open !== null) next.open = { ...next.open, isOvertaken: true };
}

/** The COMMIT of an open transaction: it is rolled back, and runs again, if another has written what it writes. */
export function commits(steps: Steps, { rules }: Setting): void {
  const { open } = steps.state;
  if (open === null) return;
  const { worker } = open;
  const who = `client ${worker + 1}`;
  const collides = (rules.rowWritten && open.isOvertaken) || writesMeet(steps.state, open);
  if (collides) {
    steps.may(`the COMMIT of ${who} is rolled back, and its transaction runs again`, (next) => {
      next.workers[worker] = copyOfWorker(open.workerBefore);
      next.open = null;
    });
    return;
  }
  steps.may(`the COMMIT of ${who} succeeds`, (next) => {
    write(next, open);
    const { heard, hello } = next.workers[worker];
    next.workers[worker] = { ...copyOfWorker(open.workerAfter), heard, hello };
    next.open = null;
    return open.violation;
  });
}

function ledgerOf({ row, jobs, operations }: State): Ledger {
  return { row: copyOfRow(row), jobs: jobs.map(copyOfJob), operations: operations.slice() };
}

/** Parts that the transaction has changed, each with its change and whether others have changed it since. */
function writesOf(s: Ledger, { before, after }: OpenTransaction): { mine: boolean; theirs: boolean }[] {
  const changed = (one: object, other: object): boolean => JSON.stringify(one) !== JSON.stringify(other);
  return [
    { mine: changed(before.row, after.row), theirs: changed(before.row, s.row) },
    ...before.jobs.map((job, at) => ({
      mine: changed(bindingOf(job), bindingOf(after.jobs[at])),
      theirs: changed(bindingOf(job), bindingOf(s.jobs[at])),
    })),
    ...before.operations.map((operation, at) => ({
      mine: changed(operation, after.operations[at]),
      theirs: changed(operation, s.operations[at]),
    })),
  ];
}

function writesMeet(s: State, open: OpenTransaction): boolean {
  return writesOf(s, open).some(({ mine, theirs }) => mine && theirs);
}

function write(next: State, open: OpenTransaction): void {
  const { after, before } = open;
  const [row, ...others] = writesOf(next, open).map(({ mine }) => mine);
  if (row) next.row = copyOfRow(after.row);
  for (const [at, job] of next.jobs.entries()) if (others[at]) Object.assign(job, bindingOf(after.jobs[at]));
  for (const at of before.operations.keys())
    if (others[next.jobs.length + at]) next.operations[at] = after.operations[at];
}

/** Of a job, what stands in the ledger. */
function bindingOf({ binding, bindingOperation, lease }: State['jobs'][number]): object {
  return { binding, bindingOperation, lease };
}
