import { decide, loseHeld, release, takeIn, withdraw } from './decision';
import { type Setting } from './rules';
import { settle } from './settlement';
import {
  Answer,
  Binding,
  BROKEN_FROM_OUTSIDE,
  Command,
  counted,
  endOperation,
  heldCount,
  isWorkedOn,
  JobPhase,
  Kernel,
  mayFail,
  type Message,
  MESSAGES,
  MountState,
  NOBODY,
  operationOf,
  OperationStatus,
  peerMayHold,
  PeerRow,
  Phase,
  Reply,
  servesOthers,
  Sleep,
  spend,
  type State,
  Task,
} from './state';
import { type Steps } from './step';
import { commits, overtake, transact } from './transaction';

/** What the clients may do next. */
export function clientSteps(steps: Steps, setting: Setting): void {
  for (const index of steps.state.workers.keys()) {
    hears(steps, index);
    requestSteps(steps, index, setting);
    awaits(steps, index, setting);
    answers(steps, index, setting);
  }
  commits(steps, setting);
  reconciles(steps, setting);
  endsLeftovers(steps, setting);
  eventArrives(steps, setting);
}

function hears(steps: Steps, index: number): void {
  const { node, workers } = steps.state;
  if (!node.up || (workers[index].heard === node.incarnation && workers[index].hello)) return;
  steps.may(`client ${index + 1} hears the hello of incarnation ${node.incarnation}`, ({ workers: next }) => {
    next[index].heard = node.incarnation;
    next[index].hello = true;
  });
}

function requestSteps(steps: Steps, index: number, setting: Setting): void {
  const s = steps.state;
  const worker = s.workers[index];
  const who = `client ${index + 1}`;
  if (worker.phase === Phase.Intake) {
    const { job } = operationOf(s, worker);
    transact(steps, index, `${who} takes the request of job ${job + 1} in`, (next) =>
      takeIn(next, index, setting),
    );
  }
  // While nothing can be said of the target there is nothing new to decide.
  const waits = s.node.childStuck && worker.problem;
  if (worker.phase === Phase.WantsLease && !waits && leaseIsFree(s) && s.row.epoch < setting.lastEpoch) {
    transact(steps, index, `${who} takes the lease and decides`, (next) => {
      takeLease(next, index);
      decide(next, index, setting);
    });
  }
  if (worker.phase === Phase.Sends) {
    const text = `${who} sends ${Command[worker.command]}, epoch ${worker.epoch}`;
    if (!s.node.up || s.messages.length >= MESSAGES) {
      steps.may(`${text}: it comes back as unroutable`, ({ workers }) => {
        workers[index].phase = Phase.Awaits;
        workers[index].reply = Reply.Unroutable;
      });
    } else steps.may(text, (next) => void next.messages.push(post(next, index, setting)));
  }
}

function post(s: State, index: number, { rules }: Setting): Message {
  const worker = s.workers[index];
  worker.phase = Phase.Awaits;
  const { command, epoch, heard } = worker;
  const incarnation = rules.incarnationAtCommit ? worker.incarnation : heard;
  const lifts = command === Command.Unmount ? worker.lifts : 0;
  return { command, epoch, incarnation, sender: index + 1, life: s.life, repeat: false, lifts };
}

function awaits(steps: Steps, index: number, setting: Setting): void {
  const s = steps.state;
  const worker = s.workers[index];
  if (worker.phase !== Phase.Awaits) return;
  const text = `client ${index + 1}: ${Command[worker.command]}, epoch ${worker.epoch},`;
  if (worker.reply !== Reply.None) {
    transact(steps, index, `${text} came to "${Reply[worker.reply]}"`, (next) =>
      settle(next, index, setting),
    );
    return;
  }
  const underWay = [...s.messages, ...s.queue].some(
    ({ sender, epoch, command }) =>
      sender === index + 1 && epoch === worker.epoch && command === worker.command,
  );
  if (!underWay) steps.may(`${text} was lost and runs into its time-out`, (next) => giveUp(next, index));
  else if (mayFail(s, 'timeout')) {
    steps.mayFromOutside(`${text} runs into its time-out while it is under way`, (next) => {
      spend(next, 'timeout');
      giveUp(next, index);
    });
  }
}

function giveUp(s: State, index: number): void {
  s.workers[index].reply = Reply.Unknown;
}

/** The answer leaves after the commit; between the two the world may have changed. */
function answers(steps: Steps, index: number, setting: Setting): void {
  const worker = steps.state.workers[index];
  if (worker.phase !== Phase.Answers) return;
  const { job, task } = operationOf(steps.state, worker);
  const held = steps.state.jobs[job].binding === Binding.Held;
  const late = task === Task.Mount && worker.answer === Answer.Success && !held;
  const answer = late && setting.rules.answerChecked ? Answer.Unknown : worker.answer;
  const text = `client ${index + 1} answers job ${job + 1}: ${answer === Answer.Unknown ? 'outcome unknown (504)' : Answer[answer].toLowerCase()}`;
  steps.may(text, (next) => {
    const { operation } = worker;
    const { heard, hello } = worker;
    Object.assign(next.workers[index], { phase: Phase.Idle, task: Task.None, operation: 0, heard, hello });
    next.workers[index].answer = Answer.None;
    const { status } = next.operations[operation - 1];
    const contradicts =
      (answer === Answer.Success && status !== OperationStatus.Success) ||
      (answer === Answer.Error && status !== OperationStatus.Error);
    if (contradicts) return `I3: the answer to job ${job + 1} contradicts its operation`;
    const asker = next.jobs[job];
    const expected = task === Task.Mount ? JobPhase.AsksMount : JobPhase.AsksUnmount;
    if (asker.request !== operation || asker.phase !== expected) return null;
    if (answer !== Answer.Success) asker.phase = JobPhase.Puzzled;
    else if (task === Task.Unmount) asker.phase = JobPhase.Done;
    else return relies(next, job);
    return null;
  });
}

/** A job was told that its mount stands, and relies on it from now. */
function relies(s: State, job: number): string | null {
  const { kernel, instance, row, lag } = s;
  const good = kernel === Kernel.Good && row.mountId === instance;
  Object.assign(s.jobs[job], { phase: JobPhase.Holds, told: true });
  s.jobs[job].mount = good ? instance : BROKEN_FROM_OUTSIDE;
  return good || lag
    ? null
    : `I1: job ${job + 1} is told success, nothing good is mounted, and no fresh break excuses it`;
}

function takeLease({ row }: State, index: number): void {
  Object.assign(row, { leaseHolder: index + 1, leaseExpired: false, clockBack: false });
}

export function leaseIsFree({ row }: State): boolean {
  return row.leaseHolder === NOBODY || row.leaseExpired;
}

/** Comparing ledger and node only nominates; who takes the lease decides. */
function reconciles(steps: Steps, setting: Setting): void {
  const s = steps.state;
  const free = s.workers.findIndex(({ phase }) => phase === Phase.Idle);
  const busy = s.workers.some(({ phase, task }) => phase !== Phase.Idle && task === Task.Reconcile);
  if (free < 0 || busy || !s.node.up || !leaseIsFree(s) || s.row.epoch >= setting.lastEpoch) return;
  // What another ledger has there is not nominated; nor can it be settled what its commands may change.
  if (servesOthers(s) && heldCount(s) === 0) return;
  const suspicious = differs(s);
  if (!suspicious && !isOpen(s, setting)) return;
  steps.may(
    `client ${free + 1} reconciles: ${suspicious ? 'ledger and node differ' : 'the row is open'}`,
    (next) => {
      const worker = next.workers[free];
      worker.phase = Phase.WantsLease;
      worker.task = Task.Reconcile;
      worker.suspicious = suspicious;
      takeLease(next, free);
      overtake(next);
      decide(next, free, setting);
    },
  );
}

/** The row is between two states, or stands without a binding. What a peer, a sleeper or a stuck child keeps is tried again later. */
function isOpen(s: State, { rules }: Setting): boolean {
  const peerKeeps = peerMayHold(s) || (s.node.peerMark !== 0 && !rules.peerLeavesByLedger);
  const kept = peerKeeps || s.jobs.some(({ sleep }) => sleep === Sleep.Deep);
  switch (s.row.state) {
    case MountState.Mounting:
    case MountState.Unmounting:
    case MountState.Uncertain:
      return !s.node.childStuck;
    case MountState.Mounted:
      return counted(s) === 0 && !kept;
    case MountState.Broken:
      return counted(s) === 0 && (s.node.peerMark === 0 || rules.peerKeepsGood);
    case MountState.Absent:
      return false;
  }
}

function differs(s: State): boolean {
  const { row, kernel, instance, node, peerRow } = s;
  if (row.state === MountState.Mounted) {
    return kernel !== Kernel.Good || row.incarnation !== node.incarnation || row.mountId !== instance;
  }
  // Of ours a fence has made them lost.
  if (row.state === MountState.Broken) return peerRow === PeerRow.Held;
  return row.state === MountState.Absent && (kernel !== Kernel.Absent || heldCount(s) > 0);
}

/** Once the row is settled: operations that nobody works on any more, and claims that nobody waits for. */
function endsLeftovers(steps: Steps, { rules }: Setting): void {
  const s = steps.state;
  const { state } = s.row;
  const settled = state === MountState.Absent || state === MountState.Mounted || state === MountState.Broken;
  if (!settled || !leaseIsFree(s)) return;
  for (const [at, { status, task, job }] of s.operations.entries()) {
    const id = at + 1;
    if (!rules.leftoversEnded || status !== OperationStatus.Executing || isWorkedOn(s, id)) continue;
    steps.may(`operation ${id}, which was left open, is ended`, (next) => {
      overtake(next);
      const { binding, bindingOperation } = next.jobs[job];
      const counts = bindingOperation === id && (binding === Binding.Claimed || binding === Binding.Held);
      const succeeded = task === Task.Unmount || (state === MountState.Mounted && counts);
      if (!succeeded) withdraw(next, job, id);
      endOperation(next, id, succeeded ? OperationStatus.Success : OperationStatus.Error);
    });
  }
  for (const [job, { binding, bindingOperation, phase }] of s.jobs.entries()) {
    const ended =
      bindingOperation > 0 && s.operations[bindingOperation - 1].status !== OperationStatus.Executing;
    if (binding !== Binding.Claimed || !ended || phase === JobPhase.AsksMount) continue;
    steps.may(`the claim of job ${job + 1}, whose answer it never got, runs out`, (next) => {
      overtake(next);
      release(next, job);
    });
    const { status, task } = s.operations[bindingOperation - 1];
    const reads = phase === JobPhase.Puzzled && s.jobs[job].request === bindingOperation;
    if (!reads || status !== OperationStatus.Success || task !== Task.Mount || state !== MountState.Mounted)
      continue;
    steps.may(`job ${job + 1} reads its operation, and is told of the success`, (next) => {
      overtake(next);
      next.jobs[job].binding = Binding.Held;
      return relies(next, job);
    });
  }
}

function eventArrives(steps: Steps, { rules }: Setting): void {
  const { event, row } = steps.state;
  if (event.incarnation === 0) return;
  steps.may('the event "broken" arrives', (next) => {
    overtake(next);
    const fits =
      event.incarnation === row.incarnation && event.epoch === row.epoch && event.mountId === row.mountId;
    next.event = { incarnation: 0, epoch: 0, mountId: 0 };
    if (row.state !== MountState.Mounted || (rules.eventsCompared && !fits)) return;
    next.row.state = MountState.Broken;
    loseHeld(next);
  });
}
