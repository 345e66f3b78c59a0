import { type Budgets, FAULT_NAMES, type FaultName, type RuleName } from './rules';

/** A protocol with rules taken out, and the faults under which that shows. */
export interface Mutant {
  readonly without: readonly RuleName[];
  readonly faults: readonly FaultName[];
  /** How the violation that is found begins. */
  readonly shows: RegExp;
}

/** What each rule is good for. Where two are named, each of them alone is enough: only without both there is a lie. */
export const MUTANTS: readonly Mutant[] = [
  { without: ['claimFirst'], faults: ['hangup'], shows: /^I2: job 1 has unmounted/ },
  { without: ['secondLook'], faults: ['hangup'], shows: /^I2: job 1 has unmounted/ },
  { without: ['hungUpDropped'], faults: ['hangup'], shows: /^I2: job 1 has unmounted/ },
  { without: ['unmountingFirst'], faults: [], shows: /^I1: the mount is taken from job/ },
  { without: ['rowWritten'], faults: ['overlap'], shows: /^I1: the mount is taken from job/ },
  { without: ['leaseObserved'], faults: ['clockBack', 'crash'], shows: /^I/ },
  { without: ['tokenChecked', 'epochChecked'], faults: ['pause'], shows: /^I1/ },
  { without: ['answerChecked'], faults: ['die'], shows: /^I1/ },
  { without: ['fenceForUncertain'], faults: ['timeout'], shows: /^I1: the mount is taken from job/ },
  { without: ['loseOnFence'], faults: ['die'], shows: /^I1: job 1 stays held/ },
  { without: ['mountIdCompared'], faults: ['reboot', 'python'], shows: /the break is hidden$/m },
  { without: ['incarnationAtCommit'], faults: ['pause', 'reboot'], shows: /^I4/ },
  { without: ['busyFollowsLook'], faults: ['die', 'busy'], shows: /^I1/ },
  { without: ['unroutableUnmountUncertain'], faults: ['die', 'serverCrash'], shows: /^I1/ },
  { without: ['leftoversEnded'], faults: ['crash'], shows: /^I3: operation 1 never ends/ },
  { without: ['eventsCompared'], faults: ['die'], shows: /^I1/ },
  { without: ['incarnationChecked'], faults: ['reboot', 'timeout'], shows: /^I4/ },
  { without: ['lowerEpochStale'], faults: ['timeout'], shows: /^I4/ },
  { without: ['epochOnce'], faults: ['redeliver', 'busy'], shows: /^I1: the mount is taken from job/ },
  { without: ['refusalRemembered'], faults: ['redeliver', 'noRoom'], shows: /^I4/ },
  { without: ['repeatNotRefused'], faults: ['redeliver', 'noRoom'], shows: /^I/ },
  { without: ['repeatQueued'], faults: ['redeliver', 'pause'], shows: /^I4/ },
  { without: ['repeatQueued', 'lookSettlesFenceOnly'], faults: ['redeliver'], shows: /^I4/ },
  { without: ['childAwaited'], faults: ['hang'], shows: /^I4/ },
  { without: ['childFoundAgain'], faults: ['serverCrash'], shows: /^I4/ },
  { without: ['peerMakesBusy'], faults: ['python'], shows: /^I1: the mount is taken from a Python peer/ },
  { without: ['peerKeepsGood'], faults: ['python', 'die'], shows: /^I2: the mount stays/ },
  { without: ['peerLeavesByLedger'], faults: ['python'], shows: /^I2: the mount stays, nobody counts/ },
  {
    without: ['peerLeftSince'],
    faults: ['python', 'python'],
    shows: /^I1: the mount is taken from a Python/,
  },
  {
    without: ['laterHoldKept'],
    faults: ['python', 'python'],
    shows: /^I1: the mount is taken from a Python/,
  },
  {
    without: ['peerMountNamed'],
    faults: ['python', 'python'],
    shows: /^I1: the mount is taken from a Python/,
  },
  { without: ['ownMountKept'], faults: ['python'], shows: /^I1: the mount is taken from job/ },
  { without: ['fenceMakesOwn'], faults: ['python'], shows: /^I1: the mount is taken from job/ },
  { without: ['ledgerChecked'], faults: ['otherLedger'], shows: /^I1: the mount is taken from job/ },
  { without: ['takeoverRenews'], faults: ['otherLedger', 'redeliver'], shows: /^I4/ },
  { without: ['drainChecked'], faults: ['drain'], shows: /^drain: job 1 is let onto/ },
  {
    without: ['drainKeepsHolders'],
    faults: ['drain', 'hangup'],
    shows: /^I3: job 1 is refused what it holds/,
  },
  { without: ['forgottenWhenOff'], faults: ['forget'], shows: /^I1: job 1.* lost a mount that is good/ },
  { without: ['doubtRefused'], faults: ['stuck'], shows: /^I3: a request waits for ever/ },
  { without: ['leaseRunsWhileRenewable'], faults: ['outage'], shows: /^I1: .* has no binding/ },
  { without: ['leaseGrace'], faults: ['jobNap'], shows: /^I1: .* has no binding/ },
  { without: ['plainUnmount'], faults: ['jobSleep'], shows: /^I1: the mount is taken from job/ },
];

/** Each of the faults allowed once; one that is named twice, twice. */
export function budgetOf(names: readonly FaultName[]): Partial<Budgets> {
  const budget: Partial<Budgets> = {};
  for (const name of names) budget[name] = (budget[name] ?? 0) + 1;
  return budget;
}

/** Every two faults, also each with itself. */
export function pairsOfFaults(): (readonly [FaultName, FaultName])[] {
  return FAULT_NAMES.flatMap((one, index) => FAULT_NAMES.slice(index).map((other) => [one, other] as const));
}
