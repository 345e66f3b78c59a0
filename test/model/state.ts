import { FAULT_NAMES, type FaultName, type Setting } from './rules';
import { type OpenTransaction } from './transaction';

export enum MountState {
  Absent,
  Mounting,
  Mounted,
  Unmounting,
  Uncertain,
  Broken,
}

export enum Binding {
  None,
  Claimed,
  Held,
  Lost,
}

export enum Kernel {
  Absent,
  Good,
  Broken,
}

export enum Command {
  None,
  Mount,
  Unmount,
  Fence,
  Probe,
  /** Of a Python peer, without an epoch. */
  PeerMount,
  PeerUnmount,
}

/** What a client learns of its command. `Looked…` answers a repeat: what was seen, and no outcome. */
export enum Reply {
  None,
  Mounted,
  Absent,
  Broken,
  /** Refused, or failed with nothing mounted and no child left. */
  Failed,
  BusyMounted,
  BusyBroken,
  /** No statement: a time-out, or the node cannot say yet. */
  Unknown,
  Stale,
  Unroutable,
  LookedMounted,
  LookedAbsent,
  LookedBroken,
  /** Refused, for the node serves another ledger. */
  OtherLedger,
}

export enum Phase {
  Idle,
  /** Before its first transaction. */
  Intake,
  /** Its claim stands; it waits for the lease. */
  WantsLease,
  /** The transaction that took the epoch is committed. */
  Sends,
  Awaits,
  /** Committed, not yet answered. */
  Answers,
  /** Its transaction waits for its COMMIT. */
  Commits,
}

export enum Task {
  None,
  Mount,
  Unmount,
  Reconcile,
}

export enum Answer {
  None,
  Success,
  Error,
  Unknown,
}

export enum OperationStatus {
  None,
  Executing,
  Success,
  Error,
}

export enum JobPhase {
  Idle,
  AsksMount,
  Holds,
  AsksUnmount,
  Done,
  /** Told 504 or an error, or its call was cut: it asks again, for one or the other. */
  Puzzled,
  Dead,
}

export enum Sleep {
  Awake,
  Nap,
  Deep,
}

export enum Lease {
  None,
  Runs,
  Lapsed,
  /** Nobody could renew for longer than lease and grace. */
  Overdue,
}

export enum PeerPhase {
  Idle,
  AsksMount,
  /** Its client has the node's answer, and has not written the hold yet. */
  Answered,
  Uses,
  AsksUnmount,
  Done,
}

/** The row that a Python peer's client writes, after the node's answer. */
export enum PeerRow {
  None,
  Held,
  /** It was held since the node carried out the peer's last mount, and is not any more. */
  Left,
  /** As that, but the node has carried out another mount of this peer since. */
  Outdated,
}

/** Who holds the target's lease, beside the workers 1 and 2. */
export const NOBODY = 0;
export const CRASHED = 3;
/** Where the sender of a command is a Python peer. */
export const PEER = 3;
/** Where the sender of a command is a client of another ledger; its operations are none of ours. */
export const STRANGER = 4;
export const STRANGER_LIFE = 200;
/** In a refusal: something is under way, and what stands cannot be said. */
export const NOT_SEEN = 254;
/** What a node remembers of ledgers. */
export const NO_LEDGER = 0;
export const OURS = 1;
export const THEIRS = 2;
/** The mount that a job was given was broken from outside. */
export const BROKEN_FROM_OUTSIDE = 255;
export const WORKERS = 2;
export const JOBS = 2;
export const QUEUE_LENGTH = 3;
export const MESSAGES = 4;
export const MAX_REQUESTS = 6;

/** The target's row in the ledger. */
export interface Row {
  state: MountState;
  epoch: number;
  incarnation: number;
  mountId: number;
  leaseHolder: number;
  leaseExpired: boolean;
  /** The clock of the database was set back since the lease was renewed last. */
  clockBack: boolean;
}

/** A client process: it does one request, or one reconciliation, at a time. */
export interface Worker {
  phase: Phase;
  task: Task;
  operation: number;
  command: Command;
  epoch: number;
  incarnation: number;
  reply: Reply;
  replyIncarnation: number;
  /** The mount that the node saw when it replied. */
  replyMount: number;
  /** The epoch that the node remembered. */
  replyEpoch: number;
  /** The mount of a Python peer for which the node refused an unmount; 0: none. */
  replyMark: number;
  /** The one of which the ledger shows that it has ended. */
  lifts: number;
  /** The hold of a Python peer stood in the ledger when the command was decided, and was not written since. */
  peerSeen: boolean;
  answer: Answer;
  /** Something contradicts the row: fence before anything is believed. */
  suspicious: boolean;
  /** The incarnation for which the node said, to this worker, that the mount stands; 0: it did not. */
  confirmed: number;
  /** A command of this task failed: it rests instead of trying again. */
  problem: boolean;
  /** Incarnation known of the node; 0: none. */
  heard: number;
  /** It was heard in a hello, not only in a reply. */
  hello: boolean;
}

/** A job, and its binding in the ledger. */
export interface Job {
  phase: JobPhase;
  /** Operation whose answer it waits for, or asked for last. */
  request: number;
  binding: Binding;
  bindingOperation: number;
  /** Ghost: it was answered success and has not asked for the unmount since. */
  told: boolean;
  /** Ghost: the mount that it was given. */
  mount: number;
  lease: Lease;
  sleep: Sleep;
}

export interface Operation {
  readonly status: OperationStatus;
  readonly task: Task;
  readonly job: number;
}

/** A command on its way to the node, or in the target's queue there. */
export interface Message {
  readonly command: Command;
  readonly epoch: number;
  readonly incarnation: number;
  readonly sender: number;
  /** How often the ledger was restored before it was sent: with the epoch it stands for the operation. */
  readonly life: number;
  /** In the queue: it was received before, and is only to be reported on. */
  readonly repeat: boolean;
  /** In an unmount: the mount of a Python peer that has ended by the ledger; 0: none. */
  readonly lifts: number;
}

/** dms-server with its memory of the target. */
export interface Node {
  up: boolean;
  incarnation: number;
  epoch: number;
  /** Of the ledger whose operation that epoch authorised. */
  life: number;
  /** Recorded outcome of that epoch's operation. */
  outcome: Reply;
  /** Of the first command in the queue: 0 not begun, 1 its child runs, 2 the child has ended. */
  progress: 0 | 1 | 2;
  /** A child that was given up on. */
  child: Command;
  childEpoch: number;
  /** That child will not end before the node does. */
  childStuck: boolean;
  /** This server process knows of that child. */
  childKnown: boolean;
  /** The mount that it carried out for a Python peer, which has not unmounted by a command; 0: none. */
  peerMark: number;
  own: boolean;
  /** Whose commands it obeyed last. */
  ledger: number;
}

/** Everything that matters, and ghosts (what an observer remembers) for the invariants. */
export interface State {
  row: Row;
  workers: Worker[];
  jobs: Job[];
  operations: Operation[];
  node: Node;
  queue: Message[];
  messages: Message[];
  kernel: Kernel;
  /** The mount that stands; 0: none. */
  instance: number;
  instances: number;
  peer: PeerPhase;
  peerMount: number;
  peerRow: PeerRow;
  /** Mounts that were carried out for the peer. */
  peerMarks: number;
  /** An event "broken" on its way; its incarnation is 0 where there is none. */
  event: { readonly incarnation: number; readonly epoch: number; readonly mountId: number };
  /** Ghost: the highest epoch whose outcome was written as settled. */
  settledEpoch: number;
  /** Ghost: the highest epoch whose command changed the kernel. */
  actedEpoch: number;
  /** Ghost: the mount broke from outside a moment ago, and not all can have heard of it. */
  lag: boolean;
  /** How often the ledger was restored. */
  life: number;
  /** The node takes no new holds. */
  draining: boolean;
  /** A transaction whose COMMIT is under way; null: there is none. */
  open: OpenTransaction | null;
  faults: number[];
}

const IDLE_WORKER: Worker = {
  phase: Phase.Idle,
  task: Task.None,
  operation: 0,
  command: Command.None,
  epoch: 0,
  incarnation: 0,
  reply: Reply.None,
  replyIncarnation: 0,
  replyMount: 0,
  replyEpoch: 0,
  replyMark: 0,
  lifts: 0,
  peerSeen: false,
  answer: Answer.None,
  suspicious: false,
  confirmed: 0,
  problem: false,
  heard: 0,
  hello: false,
};

/** A worker with nothing to do, that knows of the node what it knew. */
export function idleWorker({ heard, hello }: Pick<Worker, 'heard' | 'hello'>): Worker {
  const worker = copyOfWorker(IDLE_WORKER);
  worker.heard = heard;
  worker.hello = hello;
  return worker;
}

/** A node that is up, and nothing mounted; both clients have heard of the node. */
export function initialState({ budgets }: Setting): State {
  const job: Job = {
    phase: JobPhase.Idle,
    request: 0,
    binding: Binding.None,
    bindingOperation: 0,
    told: false,
    mount: 0,
    lease: Lease.None,
    sleep: Sleep.Awake,
  };
  return {
    row: {
      state: MountState.Absent,
      epoch: 0,
      incarnation: 0,
      mountId: 0,
      leaseHolder: NOBODY,
      leaseExpired: false,
      clockBack: false,
    },
    workers: Array.from({ length: WORKERS }, () => idleWorker({ heard: 1, hello: true })),
    jobs: Array.from({ length: JOBS }, () => ({ ...job })),
    operations: [],
    node: {
      up: true,
      incarnation: 1,
      epoch: 0,
      life: 0,
      outcome: Reply.None,
      progress: 0,
      child: Command.None,
      childEpoch: 0,
      childStuck: false,
      childKnown: false,
      peerMark: 0,
      own: false,
      ledger: NO_LEDGER,
    },
    queue: [],
    messages: [],
    kernel: Kernel.Absent,
    instance: 0,
    instances: 0,
    peer: PeerPhase.Idle,
    peerMount: 0,
    peerRow: PeerRow.None,
    peerMarks: 0,
    event: { incarnation: 0, epoch: 0, mountId: 0 },
    settledEpoch: 0,
    actedEpoch: 0,
    lag: false,
    life: 0,
    draining: false,
    open: null,
    faults: FAULT_NAMES.map((name) => budgets[name]),
  };
}

/** A copy that shares nothing which is ever changed. Field by field: objects of one shape are what makes it fast. */
export function copyOf(s: State): State {
  return {
    row: copyOfRow(s.row),
    workers: [copyOfWorker(s.workers[0]), copyOfWorker(s.workers[1])],
    jobs: [copyOfJob(s.jobs[0]), copyOfJob(s.jobs[1])],
    operations: s.operations.slice(),
    node: copyOfNode(s.node),
    queue: s.queue.slice(),
    messages: s.messages.slice(),
    kernel: s.kernel,
    instance: s.instance,
    instances: s.instances,
    peer: s.peer,
    peerMount: s.peerMount,
    peerRow: s.peerRow,
    peerMarks: s.peerMarks,
    event: s.event,
    settledEpoch: s.settledEpoch,
    actedEpoch: s.actedEpoch,
    lag: s.lag,
    life: s.life,
    draining: s.draining,
    open: s.open,
    faults: s.faults.slice(),
  };
}

export function copyOfRow(row: Row): Row {
  return {
    state: row.state,
    epoch: row.epoch,
    incarnation: row.incarnation,
    mountId: row.mountId,
    leaseHolder: row.leaseHolder,
    leaseExpired: row.leaseExpired,
    clockBack: row.clockBack,
  };
}

export function copyOfWorker(worker: Worker): Worker {
  return {
    phase: worker.phase,
    task: worker.task,
    operation: worker.operation,
    command: worker.command,
    epoch: worker.epoch,
    incarnation: worker.incarnation,
    reply: worker.reply,
    replyIncarnation: worker.replyIncarnation,
    replyMount: worker.replyMount,
    replyEpoch: worker.replyEpoch,
    replyMark: worker.replyMark,
    lifts: worker.lifts,
    peerSeen: worker.peerSeen,
    answer: worker.answer,
    suspicious: worker.suspicious,
    confirmed: worker.confirmed,
    problem: worker.problem,
    heard: worker.heard,
    hello: worker.hello,
  };
}

export function copyOfJob(job: Job): Job {
  return {
    phase: job.phase,
    request: job.request,
    binding: job.binding,
    bindingOperation: job.bindingOperation,
    told: job.told,
    mount: job.mount,
    lease: job.lease,
    sleep: job.sleep,
  };
}

function copyOfNode(node: Node): Node {
  return {
    up: node.up,
    incarnation: node.incarnation,
    epoch: node.epoch,
    life: node.life,
    outcome: node.outcome,
    progress: node.progress,
    child: node.child,
    childEpoch: node.childEpoch,
    childStuck: node.childStuck,
    childKnown: node.childKnown,
    peerMark: node.peerMark,
    own: node.own,
    ledger: node.ledger,
  };
}

const FAULT_INDEX = Object.fromEntries(FAULT_NAMES.map((name, index) => [name, index])) as Record<
  FaultName,
  number
>;

/** True while the fault may still happen. */
export function mayFail(s: State, name: FaultName): boolean {
  return s.faults[FAULT_INDEX[name]] > 0;
}

export function spend(s: State, name: FaultName): void {
  s.faults[FAULT_INDEX[name]] -= 1;
}

/** Claimed and held bindings, also that of a Python peer. */
export function counted(s: State): number {
  const peer = s.peerRow === PeerRow.Held ? 1 : 0;
  return (counts(s.jobs[0]) ? 1 : 0) + (counts(s.jobs[1]) ? 1 : 0) + peer;
}

/** The client of a Python peer writes its hold. */
export function peerWrites(s: State): void {
  s.peer = PeerPhase.Uses;
  s.peerRow = PeerRow.Held;
  for (const worker of s.workers) worker.peerSeen = false;
}

/** A Python peer has the mount, or is about to be told so. */
export function peerRelies({ peer, peerMount, instance }: State): boolean {
  return (peer === PeerPhase.Uses || peer === PeerPhase.Answered) && peerMount === instance;
}

/** The node counts a Python peer as a holder, and the ledger does not show that it has ended. */
export function peerMayHold({ node, peerRow }: State): boolean {
  return node.peerMark !== 0 && peerRow !== PeerRow.Left;
}

function counts({ binding }: Job): boolean {
  return binding === Binding.Claimed || binding === Binding.Held;
}

/** The node has something that it remembers, or a command under way. */
export function isInUse({ node, queue }: State): boolean {
  return node.own || node.peerMark !== 0 || queue.length > 0;
}

/** What the node has is another ledger's: it refuses our commands. */
export function servesOthers(s: State): boolean {
  return s.node.ledger === THEIRS && isInUse(s);
}

export function heldCount(s: State): number {
  const ours = s.jobs.filter(({ binding }) => binding === Binding.Held).length;
  return ours + (s.peerRow === PeerRow.Held ? 1 : 0);
}

export function operationOf(s: State, worker: Worker): Operation {
  return s.operations[worker.operation - 1];
}

/** Ends an operation, once. */
export function endOperation(s: State, operation: number, status: OperationStatus): void {
  if (operation === 0) return;
  const { status: before, task, job } = s.operations[operation - 1];
  if (before === OperationStatus.Executing) s.operations[operation - 1] = { status, task, job };
}

/** True while a living process works on the operation. */
export function isWorkedOn(s: State, operation: number): boolean {
  return s.workers.some((worker) => worker.phase !== Phase.Idle && worker.operation === operation);
}

const words = (text: number, kind: Record<number, string>): string => kind[text].toLowerCase();

/** The state in one line. */
export function describe(s: State): string {
  const { row, node } = s;
  const lease =
    row.leaseHolder === NOBODY ? 'free' : `with ${row.leaseHolder}${row.leaseExpired ? ' (ran out)' : ''}`;
  const jobs = s.jobs.map(
    (job, index) =>
      `job ${index + 1} ${words(job.phase, JobPhase)}, binding ${words(job.binding, Binding)}${job.told ? ', relies on its mount' : ''}`,
  );
  const workers = s.workers.map(
    ({ phase, task, command }, index) =>
      `client ${index + 1} ${words(phase, Phase)} ${words(task, Task)} ${words(command, Command)}`,
  );
  const operations = s.operations.map(({ status }) => words(status, OperationStatus)).join(' ');
  return [
    `row ${MountState[row.state].toUpperCase()} epoch ${row.epoch}, lease ${lease}`,
    `kernel ${words(s.kernel, Kernel)} #${s.instance}`,
    `node ${node.up ? 'up' : 'down'} incarnation ${node.incarnation} epoch ${node.epoch}${node.child ? ', child left' : ''}${node.peerMark ? ', a peer holds' : ''}${node.ledger === THEIRS ? ', of the other ledger' : ''}`,
    ...jobs,
    ...(s.peer === PeerPhase.Idle
      ? []
      : [`peer ${words(s.peer, PeerPhase)}, its row ${words(s.peerRow, PeerRow)}`]),
    ...workers,
    `operations: ${operations || 'none'}`,
  ].join('; ');
}
