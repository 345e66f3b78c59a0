import { type Setting } from './rules';
import {
  Answer,
  Binding,
  Command,
  counted,
  endOperation,
  heldCount,
  idleWorker,
  JobPhase,
  Lease,
  MountState,
  NOBODY,
  operationOf,
  OperationStatus,
  PeerRow,
  Phase,
  Reply,
  type State,
  Task,
  type Worker,
} from './state';

/** Ends the task of a worker: its lease goes back, and its caller is to be answered. */
export function finish(s: State, index: number, answer: Answer): void {
  const worker = s.workers[index];
  if (s.row.leaseHolder === index + 1) {
    s.row.leaseHolder = NOBODY;
    s.row.leaseExpired = false;
  }
  if (worker.task === Task.Reconcile) {
    s.workers[index] = idleWorker(worker);
    return;
  }
  const answering = idleWorker(worker);
  answering.phase = Phase.Answers;
  answering.task = worker.task;
  answering.operation = worker.operation;
  answering.answer = answer;
  s.workers[index] = answering;
}

/** Fails a mount for good: a claim that is still its own is taken back. */
export function refuse(s: State, index: number): void {
  const worker = s.workers[index];
  const { job } = operationOf(s, worker);
  withdraw(s, job, worker.operation);
  endOperation(s, worker.operation, OperationStatus.Error);
  finish(s, index, Answer.Error);
}

export function withdraw(s: State, job: number, operation: number): void {
  const binding = s.jobs[job];
  if (binding.binding === Binding.Claimed && binding.bindingOperation === operation) release(s, job);
}

export function release(s: State, job: number): void {
  s.jobs[job].binding = Binding.None;
  s.jobs[job].bindingOperation = 0;
  s.jobs[job].lease = Lease.None;
}

/** @param peer also the hold of a Python peer */
export function loseHeld(s: State, peer = true): void {
  for (const job of s.jobs) if (job.binding === Binding.Held) job.binding = Binding.Lost;
  if (peer && s.peerRow === PeerRow.Held) s.peerRow = PeerRow.Left;
}

/** A binding becomes held; where it has a lease, that runs from now. */
export function hold(s: State, job: number, { leased }: Setting): void {
  s.jobs[job].binding = Binding.Held;
  if (leased && job === 0) s.jobs[job].lease = Lease.Runs;
}

/** Takes the next epoch for a command, and the incarnation that it is meant for. */
function command(s: State, index: number, kind: Command, state: MountState | null): void {
  const worker = s.workers[index];
  s.row.epoch += 1;
  if (state !== null) s.row.state = state;
  if (state === MountState.Mounting) {
    s.row.mountId = 0;
    s.row.incarnation = worker.heard;
  }
  send(s, index, kind);
}

function send(s: State, index: number, kind: Command): void {
  const worker = s.workers[index];
  worker.phase = Phase.Sends;
  worker.command = kind;
  worker.epoch = s.row.epoch;
  worker.incarnation = worker.heard;
  worker.reply = Reply.None;
  worker.replyIncarnation = 0;
  worker.peerSeen = s.peerRow === PeerRow.Held;
}

/** One transaction of a worker that has the lease: it grants, refuses, rests, or takes an epoch for one command. */
export function decide(s: State, index: number, setting: Setting): void {
  const { rules } = setting;
  const worker = s.workers[index];
  if (worker.task === Task.Mount && rules.secondLook && rules.claimFirst) {
    const { binding } = s.jobs[operationOf(s, worker).job];
    if (binding === Binding.None || binding === Binding.Lost) return refuse(s, index);
  }
  if (worker.suspicious && worker.confirmed === 0) return uncertain(s, index, setting);
  switch (s.row.state) {
    case MountState.Absent:
      return worker.task === Task.Mount ? mountAbsent(s, index) : rest(s, index);
    case MountState.Mounted:
      return mounted(s, index, setting);
    case MountState.Broken:
      return broken(s, index);
    case MountState.Mounting:
    case MountState.Unmounting:
    case MountState.Uncertain:
      return uncertain(s, index, setting);
  }
}

function mountAbsent(s: State, index: number): void {
  if (s.workers[index].heard === 0) return send(s, index, Command.Probe);
  command(s, index, Command.Mount, MountState.Mounting);
}

function mounted(s: State, index: number, setting: Setting): void {
  const worker = s.workers[index];
  if (worker.task === Task.Mount) {
    if (!believes(s, worker)) {
      const sameMemory = worker.heard === 0 || worker.heard === s.row.incarnation;
      return sameMemory ? send(s, index, Command.Probe) : uncertain(s, index, setting);
    }
    const { job } = operationOf(s, worker);
    hold(s, job, setting);
    endOperation(s, worker.operation, OperationStatus.Success);
    return finish(s, index, Answer.Success);
  }
  if (counted(s) > 0 || worker.problem) return rest(s, index);
  unmount(s, index, setting);
}

/** What the row says stands: by a hello, or by what the node said to this worker. */
function believes({ row }: State, worker: Worker): boolean {
  if (worker.heard !== row.incarnation) return false;
  return worker.hello || worker.confirmed === row.incarnation;
}

function broken(s: State, index: number): void {
  const worker = s.workers[index];
  if (heldCount(s) === 0 && !worker.problem) {
    return worker.heard === 0
      ? send(s, index, Command.Probe)
      : command(s, index, Command.Unmount, MountState.Unmounting);
  }
  if (worker.task === Task.Mount) return refuse(s, index);
  rest(s, index);
}

function unmount(s: State, index: number, { rules }: Setting): void {
  if (s.workers[index].heard === 0) return send(s, index, Command.Probe);
  command(s, index, Command.Unmount, rules.unmountingFirst ? MountState.Unmounting : null);
}

function uncertain(s: State, index: number, { rules }: Setting): void {
  const worker = s.workers[index];
  if (worker.problem) return worker.task === Task.Mount ? refuse(s, index) : rest(s, index);
  if (worker.heard === 0 || !rules.fenceForUncertain) return send(s, index, Command.Probe);
  command(s, index, Command.Fence, MountState.Uncertain);
}

/** An unmount is answered whatever became of the mount: its job holds nothing any more. */
function rest(s: State, index: number): void {
  endOperation(s, s.workers[index].operation, OperationStatus.Success);
  finish(s, index, Answer.Success);
}

/** The first transaction of a request. */
export function takeIn(s: State, index: number, setting: Setting): string | null {
  const { rules } = setting;
  const worker = s.workers[index];
  const { job, task } = operationOf(s, worker);
  const waits = s.jobs[job].request === worker.operation && isAsking(s.jobs[job].phase);
  if (rules.hungUpDropped && !waits) {
    endOperation(s, worker.operation, OperationStatus.Error);
    s.workers[index] = idleWorker(worker);
    return null;
  }
  if (task === Task.Mount) return takeMountIn(s, index, job, setting);
  release(s, job);
  if (counted(s) === 0 && s.row.state !== MountState.Absent) {
    worker.phase = Phase.WantsLease;
    return null;
  }
  endOperation(s, worker.operation, OperationStatus.Success);
  finish(s, index, Answer.Success);
  return null;
}

function takeMountIn(s: State, index: number, job: number, setting: Setting): string | null {
  const { rules } = setting;
  const { draining, row } = s;
  const worker = s.workers[index];
  const binding = s.jobs[job];
  const counts = binding.binding === Binding.Held || binding.binding === Binding.Claimed;
  if (draining && rules.drainChecked && !(counts && rules.drainKeepsHolders)) {
    endOperation(s, worker.operation, OperationStatus.Error);
    finish(s, index, Answer.Error);
    return binding.binding === Binding.Held ? `I3: job ${job + 1} is refused what it holds` : null;
  }
  const late = draining && !counts ? `drain: job ${job + 1} is let onto a node that drains` : null;
  if (row.state === MountState.Mounted && worker.hello && worker.heard === row.incarnation) {
    hold(s, job, setting);
    binding.bindingOperation = worker.operation;
    endOperation(s, worker.operation, OperationStatus.Success);
    finish(s, index, Answer.Success);
    return late;
  }
  if (rules.claimFirst) {
    if (binding.binding !== Binding.Held) binding.binding = Binding.Claimed;
    binding.bindingOperation = worker.operation;
  }
  worker.phase = Phase.WantsLease;
  return late;
}

export function isAsking(phase: JobPhase): boolean {
  return phase === JobPhase.AsksMount || phase === JobPhase.AsksUnmount;
}
