/**
 * The rules of the mount protocol, each of which can be taken out: what a rule is good for shows in the trace that
 * leads to a lie without it.
 */
export const RULES = {
  /** A mount writes its claim before it waits for the lease. */
  claimFirst: true,
  /** A waiter looks at its claim again before it goes on. */
  secondLook: true,
  /** A request whose caller hung up before it was taken in is not begun. */
  hungUpDropped: true,
  /** UNMOUNTING is committed before the unmount command is sent. */
  unmountingFirst: true,
  /** A transaction that decides about a target writes its row: of two that overlap, the later one is rolled back. */
  rowWritten: true,
  /** A lease has run out when it was not renewed for its duration; not when the database's clock says so. */
  leaseObserved: true,
  /** Every write after a command names the lease token. */
  tokenChecked: true,
  /** Every write after a command names the epoch that the command took. */
  epochChecked: true,
  /** Success is answered only while the binding is still held, looked at just before. */
  answerChecked: true,
  /** What is UNCERTAIN is resolved by a fence with a new epoch; without the rule, by a bare look beside the queue. */
  fenceForUncertain: true,
  /** What a fence finds absent or broken makes held bindings lost. */
  loseOnFence: true,
  /** A fence that finds another mount than the row's makes held bindings lost. */
  mountIdCompared: true,
  /** The incarnation of a command is fixed in the commit that takes its epoch, not read when it is sent. */
  incarnationAtCommit: true,
  /** What a node looked at for a repeat settles a fence, never a mount or an unmount. */
  lookSettlesFenceOnly: true,
  /** After BUSY the row follows what the node sees: a broken mount stays BROKEN. */
  busyFollowsLook: true,
  /** An unmount that came back as unroutable leaves UNCERTAIN. */
  unroutableUnmountUncertain: true,
  /** Operations that no living process works on are ended by the reconciler. */
  leftoversEnded: true,
  /** An event counts only if incarnation, epoch and mount id equal the row's. */
  eventsCompared: true,
  /** The node refuses commands of another incarnation. */
  incarnationChecked: true,
  /** The node refuses epochs below the one it remembers. */
  lowerEpochStale: true,
  /** An epoch authorises one operation once: its repeat is reported on, not carried out. */
  epochOnce: true,
  /** A command that the node has no room for uses its epoch up: it is not obeyed when it is delivered again. */
  refusalRemembered: true,
  /** Where there is no room for a repeat nothing is said of what became of the command. */
  repeatNotRefused: true,
  /** A repeat is answered behind what stands in the target's queue. */
  repeatQueued: true,
  /** Nothing of a target is begun or answered as settled while a child of an earlier command may live. */
  childAwaited: true,
  /** A restarted server finds the children of the one before it. */
  childFoundAgain: true,
  /** While a Python peer holds the mount, an unmount with an epoch is BUSY. */
  peerMakesBusy: true,
  /** It is so only while the mount is good. */
  peerKeepsGood: true,
  /** A Python peer that left by the ledger alone is held for the node's holder no more. */
  peerLeavesByLedger: true,
  /** Only what was written after the node had carried the peer's mount out shows that it has left. */
  peerLeftSince: true,
  /** What a node saw before a Python peer wrote its hold says nothing of that hold. */
  laterHoldKept: true,
  /** The client names the mount of the peer that has ended; one that came since counts. */
  peerMountNamed: true,
  /** An unmount without epoch leaves a mount that a command with an epoch mounted or found. */
  ownMountKept: true,
  /** A fence that finds a mount makes it one that a command with an epoch found: no Python peer's alone. */
  fenceMakesOwn: true,
  /** While it has anything of one ledger, the node refuses the commands of another. */
  ledgerChecked: true,
  /** Another ledger takes an idle node over under a new incarnation. */
  takeoverRenews: true,
  /** A node that drains takes no new holds, looked at when a request is taken in. */
  drainChecked: true,
  /** What a job has there already, it may ask for again. */
  drainKeepsHolders: true,
  /** A node is forgotten only when it is off. */
  forgottenWhenOff: true,
  /** A request that meets a target of which nothing can be said is refused. */
  doubtRefused: true,
  /** The lease of a binding runs only while renewing is possible. */
  leaseRunsWhileRenewable: true,
  /** After the lease of a binding ran out there is a grace, in which it can still be renewed. */
  leaseGrace: true,
  /** The unmount after a lease is a plain one: a mount that is in use is BUSY. */
  plainUnmount: true,
};

export type Rules = typeof RULES;
export type RuleName = keyof Rules;

/** What may go wrong, and how often at most in one run. Delay and loss of what nobody waits for are always allowed. */
export const FAULTS = {
  /** The node reboots: mounts, memory and processes are gone. */
  reboot: 0,
  /** dms-server restarts without its run directory; mounts and children stay. */
  wipe: 0,
  /** The FUSE daemon dies: the mount is broken. */
  die: 0,
  /** A client stops for longer than its lease, and goes on. */
  pause: 0,
  /** A transaction overlaps with others, which do not see its row lock. */
  overlap: 0,
  /** The clock of the database is set back by more than any run takes. */
  clockBack: 0,
  /** A client is killed. */
  crash: 0,
  /** A command is delivered again. */
  redeliver: 0,
  /** A node has no room for a command. */
  noRoom: 0,
  /** A client stops waiting although its command or the reply is still under way. */
  timeout: 0,
  /** A job's call is cut before it is answered. */
  hangup: 0,
  /** dms-server is killed: its queue is lost or delivered again, its child dies or lives on. */
  serverCrash: 0,
  /** A child outlives its deadline. */
  hang: 0,
  /** A child hangs in the kernel, and ends with the node only. */
  stuck: 0,
  /** An unmount finds the mount in use. */
  busy: 0,
  /** A mount fails cleanly. */
  mountFails: 0,
  /** A hello of a former incarnation arrives late. */
  lateHello: 0,
  /** An operator lets no new holds onto the node. */
  drain: 0,
  /** A node is switched off with what it has, and an operator forgets it; it may come back. */
  forget: 0,
  /** With the service stopped and nothing under way, the ledger is restored from its first backup. */
  restore: 0,
  /** A Python peer uses the target: it mounts, and unmounts, once for each. */
  python: 0,
  /** A Python peer's client is killed, or gives up, before it has written its hold. */
  pythonDeath: 0,
  /** A client of another ledger, which knows nothing of ours, sends a command with an epoch of its own. */
  otherLedger: 0,
  /** A job with a lease dies. */
  jobDeath: 0,
  /** A job with a lease sleeps past its lease, but not past the grace. */
  jobNap: 0,
  /** A job with a lease sleeps past the grace, with files open. */
  jobSleep: 0,
  /** Nothing can be renewed for longer than a lease and its grace. */
  outage: 0,
};

export type Budgets = typeof FAULTS;
export type FaultName = keyof Budgets;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];
/** Faults that concern a lease of a binding: with one of them, the first job's binding has a lease. */
export const LEASE_FAULTS: readonly FaultName[] = ['jobDeath', 'jobNap', 'jobSleep', 'outage'];

/** One configuration of the model. */
export interface Setting {
  readonly rules: Rules;
  readonly budgets: Budgets;
  /** Requests of jobs in one run. */
  readonly requests: number;
  /** Epochs after which a run is not followed further. */
  readonly lastEpoch: number;
  /** The first job's binding has a lease. */
  readonly leased: boolean;
}

/** A setting with the given rules taken out and the given faults allowed. */
export function setting(
  without: readonly RuleName[],
  faults: Partial<Budgets>,
  { requests = 3, lastEpoch = 10 } = {},
): Setting {
  return {
    rules: { ...RULES, ...Object.fromEntries(without.map((name) => [name, false])) },
    budgets: { ...FAULTS, ...faults },
    requests,
    lastEpoch,
    leased: LEASE_FAULTS.some((name) => (faults[name] ?? 0) > 0),
  };
}
