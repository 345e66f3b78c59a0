import { isAsking, loseHeld, release } from './decision';
import { epochOf } from './node';
import { type FaultName, type Setting } from './rules';
import {
  Binding,
  BROKEN_FROM_OUTSIDE,
  Command,
  CRASHED,
  heldCount,
  idleWorker,
  JobPhase,
  Kernel,
  Lease,
  mayFail,
  MESSAGES,
  MountState,
  NO_LEDGER,
  NOBODY,
  OperationStatus,
  PeerPhase,
  PeerRow,
  peerWrites,
  PEER,
  Phase,
  Reply,
  Sleep,
  spend,
  type State,
  STRANGER,
  STRANGER_LIFE,
  Task,
  THEIRS,
} from './state';
import { type Steps } from './step';
import { overtake } from './transaction';

/** What jobs, Python peers and bad luck may do next. */
export function environmentSteps(steps: Steps, setting: Setting): void {
  jobsAsk(steps, setting);
  leases(steps, setting);
  peerSteps(steps);
  clientFaults(steps, setting);
  nodeFaults(steps, setting);
  strangerSteps(steps);
  restores(steps);
}

/** The ledger is again what it was at first. What jobs were told since is lost with it, which no protocol can mend. */
function restores(steps: Steps): void {
  const s = steps.state;
  const still =
    s.workers.every(({ phase }) => phase === Phase.Idle) && s.messages.length + s.queue.length === 0;
  if (!still || s.node.child !== Command.None || s.row.epoch === 0 || !mayFail(s, 'restore')) return;
  steps.mayFromOutside('the ledger is restored from its first backup', (next) => {
    spend(next, 'restore');
    next.life += 1;
    if (next.peerRow === PeerRow.Held) next.peerMount = 0;
    next.peerRow = PeerRow.None;
    Object.assign(next.row, { state: MountState.Absent, epoch: 0, incarnation: 0, mountId: 0 });
    Object.assign(next.row, { leaseHolder: NOBODY, leaseExpired: false, clockBack: false });
    next.event = { incarnation: 0, epoch: 0, mountId: 0 };
    for (const [at, { task, job }] of next.operations.entries()) {
      next.operations[at] = { status: OperationStatus.Error, task, job };
    }
    for (const job of next.jobs) {
      if (job.phase !== JobPhase.Idle) job.phase = JobPhase.Puzzled;
      Object.assign(job, {
        binding: Binding.None,
        bindingOperation: 0,
        told: false,
        mount: 0,
        lease: Lease.None,
      });
    }
    // A memory that is younger than the ledger was does not know the epochs that the ledger has forgotten.
    next.settledEpoch = Math.min(next.settledEpoch, next.node.epoch);
    next.actedEpoch = Math.min(next.actedEpoch, next.node.epoch);
  });
}

function jobsAsk(steps: Steps, { requests }: Setting): void {
  const s = steps.state;
  for (const [job, { phase, request, sleep }] of s.jobs.entries()) {
    if (isAsking(phase) && mayFail(s, 'hangup')) {
      steps.mayFromOutside(`the call of job ${job + 1} is cut`, (next) => {
        spend(next, 'hangup');
        next.jobs[job].phase = JobPhase.Puzzled;
      });
    }
    if (s.operations.length >= requests || sleep !== Sleep.Awake) continue;
    // The two jobs, and the two clients, are alike: the first request is job 1's, at client 1.
    if (request === 0 && job > 0 && s.operations.length === 0) continue;
    for (const [index, worker] of s.workers.entries()) {
      if (worker.phase !== Phase.Idle || (s.operations.length === 0 && index > 0)) continue;
      if (phase === JobPhase.Idle || phase === JobPhase.Puzzled) ask(steps, job, index, Task.Mount);
      if (phase === JobPhase.Holds || phase === JobPhase.Puzzled) ask(steps, job, index, Task.Unmount);
    }
  }
}

function ask(steps: Steps, job: number, index: number, task: Task.Mount | Task.Unmount): void {
  const what = task === Task.Mount ? 'mount' : 'unmount';
  steps.mayFromOutside(`job ${job + 1} asks client ${index + 1} for the ${what}`, (next) => {
    next.operations.push({ status: OperationStatus.Executing, task, job });
    const operation = next.operations.length;
    Object.assign(next.workers[index], { phase: Phase.Intake, task, operation });
    const asker = next.jobs[job];
    asker.phase = task === Task.Mount ? JobPhase.AsksMount : JobPhase.AsksUnmount;
    asker.request = operation;
    if (task === Task.Mount) return;
    asker.told = false;
    asker.mount = 0;
  });
}

/** The lease of the first job's binding. Time is absent: whatever may have passed by now may have passed. */
function leases(steps: Steps, { rules }: Setting): void {
  const s = steps.state;
  const [job] = s.jobs;
  if (job.lease === Lease.None) return;
  const fault = (name: FaultName, text: string, change: (next: State) => void): void => {
    if (!mayFail(s, name)) return;
    steps.mayFromOutside(text, (next) => {
      spend(next, name);
      change(next);
    });
  };
  if (job.sleep === Sleep.Awake && job.phase === JobPhase.Holds) {
    fault('jobNap', 'job 1 sleeps past its lease', ({ jobs }) => void (jobs[0].sleep = Sleep.Nap));
    fault('jobSleep', 'job 1 sleeps past its grace', ({ jobs }) => void (jobs[0].sleep = Sleep.Deep));
  }
  if (job.phase !== JobPhase.Dead) {
    fault('jobDeath', 'job 1 dies', ({ jobs }) =>
      Object.assign(jobs[0], { phase: JobPhase.Dead, told: false, mount: 0, sleep: Sleep.Awake }),
    );
  }
  fault('outage', 'nothing can be renewed for longer than lease and grace', ({ jobs }) => {
    if (!rules.leaseRunsWhileRenewable) jobs[0].lease = Lease.Overdue;
  });
  const dead = job.phase === JobPhase.Dead;
  if (job.lease === Lease.Runs && (dead || job.sleep !== Sleep.Awake)) {
    steps.may("the lease of job 1's binding runs out", ({ jobs }) => void (jobs[0].lease = Lease.Lapsed));
  }
  const graceOver = dead || job.sleep === Sleep.Deep || !rules.leaseGrace;
  if (job.lease === Lease.Overdue || (job.lease === Lease.Lapsed && graceOver)) {
    steps.may("job 1's binding is released, its lease and grace being over", (next) => {
      overtake(next);
      release(next, 0);
    });
  }
  wakes(steps);
}

function wakes(steps: Steps): void {
  if (steps.state.jobs[0].sleep !== Sleep.Nap) return;
  steps.may('job 1 wakes up and renews its lease', ({ jobs: [job] }) => {
    job.sleep = Sleep.Awake;
    job.lease = Lease.Runs;
  });
}

/** A sleeper whose lease is over learns of it when it wakes up. */
function oversleepers(steps: Steps): void {
  const [job] = steps.state.jobs;
  if (job.sleep === Sleep.Awake || job.lease !== Lease.None) return;
  steps.may('job 1 wakes up and learns that its lease is over', ({ jobs: [next] }) => {
    Object.assign(next, { sleep: Sleep.Awake, phase: JobPhase.Puzzled, told: false, mount: 0 });
  });
}

/**
 * A Python peer mounts, uses the mount and unmounts, by commands that carry no epoch. Its look at the ledger and its
 * write are one step where it sends no command: what can come in between is not protected, as docs/MIGRATION.md says.
 */
function peerSteps(steps: Steps): void {
  oversleepers(steps);
  const s = steps.state;
  const post = (command: Command): State['messages'][number] => {
    return { command, epoch: 0, incarnation: 0, sender: PEER, life: 0, repeat: false, lifts: 0 };
  };
  const idle = s.peer === PeerPhase.Idle || s.peer === PeerPhase.Done;
  if (idle && heldCount(s) > 0 && mayFail(s, 'python')) {
    steps.mayFromOutside('a Python peer sees holders in the ledger, and writes its own hold', (next) => {
      spend(next, 'python');
      next.peerMount = s.kernel === Kernel.Good ? s.instance : 0;
      peerWrites(next);
    });
  }
  if (s.peer === PeerPhase.Answered) {
    steps.may('the Python peer writes its hold', peerWrites);
  }
  if ((s.peer === PeerPhase.Answered || s.peer === PeerPhase.AsksMount) && mayFail(s, 'pythonDeath')) {
    steps.mayFromOutside('the Python peer ends before it has written its hold', (next) => {
      spend(next, 'pythonDeath');
      next.peer = PeerPhase.Done;
    });
  }
  // Its client asks the node only for the first hold and the last one.
  const last = s.peerRow === PeerRow.Held && heldCount(s) === 1;
  if (s.peer === PeerPhase.Uses && !last) {
    steps.mayFromOutside('the Python peer leaves by the ledger alone', (next) => {
      next.peer = PeerPhase.Done;
      if (next.peerRow === PeerRow.Held) next.peerRow = PeerRow.Left;
    });
  }
  if (s.messages.length >= MESSAGES) return;
  if (idle && heldCount(s) === 0 && mayFail(s, 'python')) {
    steps.mayFromOutside('a Python peer asks the node for the mount', (next) => {
      spend(next, 'python');
      next.peer = PeerPhase.AsksMount;
      next.messages.push(post(Command.PeerMount));
    });
  }
  if (s.peer === PeerPhase.Uses && last) {
    steps.mayFromOutside('the Python peer asks the node for the unmount', (next) => {
      next.peer = PeerPhase.AsksUnmount;
      next.messages.push(post(Command.PeerUnmount));
    });
  }
}

/** A client of another ledger commands what it likes, and gives back what it has mounted whenever it likes. */
function strangerSteps(steps: Steps): void {
  const { node, messages, queue, kernel } = steps.state;
  if (!node.up || messages.length >= MESSAGES) return;
  const { incarnation } = node;
  const sends = (command: Command, change: (next: State) => void): void => {
    const epoch = node.epoch + 1;
    const text = `a client of another ledger sends ${Command[command]}, epoch ${epoch}`;
    steps.mayFromOutside(text, (next) => {
      change(next);
      const sender = STRANGER;
      next.messages.push({
        command,
        epoch,
        incarnation,
        sender,
        life: STRANGER_LIFE,
        repeat: false,
        lifts: 0,
      });
    });
  };
  if (mayFail(steps.state, 'otherLedger')) {
    for (const command of [Command.Mount, Command.Unmount, Command.Fence]) {
      sends(command, (next) => spend(next, 'otherLedger'));
    }
  }
  const asks = [...messages, ...queue].some(({ sender }) => sender === STRANGER);
  if (node.ledger === THEIRS && node.own && kernel !== Kernel.Absent && !asks) {
    sends(Command.Unmount, () => undefined);
  }
}

function clientFaults(steps: Steps, { rules }: Setting): void {
  const s = steps.state;
  if (s.row.leaseHolder !== NOBODY && !s.row.clockBack && mayFail(s, 'clockBack')) {
    steps.mayFromOutside('the clock of the database is set back', (next) => {
      spend(next, 'clockBack');
      next.row.clockBack = true;
    });
  }
  for (const [index, worker] of s.workers.entries()) {
    const who = `client ${index + 1}`;
    const hasLease = s.row.leaseHolder === index + 1;
    if (worker.phase !== Phase.Idle && mayFail(s, 'crash')) {
      steps.mayFromOutside(`${who} is killed and starts again`, (next) => {
        spend(next, 'crash');
        if (next.open?.worker === index) next.open = null;
        // By a clock that was set back, the lease of a client that is gone does not run out in any time that counts.
        const leaseExpired = rules.leaseObserved || !next.row.clockBack;
        if (hasLease) Object.assign(next.row, { leaseHolder: CRASHED, leaseExpired });
        for (const job of next.jobs) {
          if (job.request === worker.operation && isAsking(job.phase)) job.phase = JobPhase.Puzzled;
        }
        next.workers[index] = idleWorker({ heard: 0, hello: false });
      });
    }
    if (hasLease && !s.row.leaseExpired && mayFail(s, 'pause')) {
      steps.mayFromOutside(`${who} stops for longer than its lease`, (next) => {
        spend(next, 'pause');
        next.row.leaseExpired = true;
      });
    }
    if (mayFail(s, 'lateHello') && s.node.incarnation > 1) {
      steps.mayFromOutside(`${who} hears a hello of the former incarnation`, (next) => {
        spend(next, 'lateHello');
        next.workers[index].heard = s.node.incarnation - 1;
        next.workers[index].hello = true;
      });
    }
  }
}

function nodeFaults(steps: Steps, { rules }: Setting): void {
  const s = steps.state;
  const { node, queue } = s;
  if (mayFail(s, 'reboot')) {
    steps.mayFromOutside('the node reboots', (next) => {
      spend(next, 'reboot');
      if (next.kernel !== Kernel.Absent) breaks(next, BROKEN_FROM_OUTSIDE);
      Object.assign(next, { kernel: Kernel.Absent, instance: 0 });
      forgetAll(next);
      endChild(next);
    });
  }
  if (mayFail(s, 'forget')) {
    steps.mayFromOutside('the node is switched off, and an operator forgets it', (next) => {
      spend(next, 'forget');
      overtake(next);
      if (rules.forgottenWhenOff) switchOff(next);
      loseHeld(next);
      for (const [job, { binding }] of next.jobs.entries())
        if (binding === Binding.Claimed) release(next, job);
      if (next.row.state === MountState.Absent) return;
      Object.assign(next.row, { state: MountState.Absent, mountId: 0, epoch: next.row.epoch + 1 });
    });
  }
  if (!s.draining && mayFail(s, 'drain')) {
    steps.mayFromOutside('an operator lets no new holds onto the node', (next) => {
      spend(next, 'drain');
      next.draining = true;
    });
  }
  if (mayFail(s, 'wipe')) {
    steps.mayFromOutside('dms-server starts again without its run directory', (next) => {
      spend(next, 'wipe');
      orphan(next);
      forgetAll(next);
      // Of a Python peer that has not written its hold nothing tells any more.
      if (next.peerRow !== PeerRow.Held) next.peerMount = 0;
    });
  }
  if (s.kernel === Kernel.Good && mayFail(s, 'die')) {
    steps.mayFromOutside('the FUSE daemon dies', (next) => {
      spend(next, 'die');
      next.kernel = Kernel.Broken;
      breaks(next, next.instance);
      if (node.up) next.event = { incarnation: node.incarnation, epoch: node.epoch, mountId: s.instance };
    });
  }
  if (!node.up || !mayFail(s, 'serverCrash')) return;
  const runs = node.progress === 1 && node.child === Command.None;
  for (const lives of runs ? [false, true] : [false]) {
    for (const again of queue.length > 0 ? [false, true] : [false]) {
      const text = `dms-server is killed${lives ? ', its child lives' : ''}${again ? ', its commands will come again' : ''}`;
      steps.mayFromOutside(text, (next) => killServer(next, lives, again));
    }
  }
}

/** With the node go its jobs. */
function switchOff(next: State): void {
  if (next.kernel !== Kernel.Absent) breaks(next, BROKEN_FROM_OUTSIDE);
  Object.assign(next, { kernel: Kernel.Absent, instance: 0 });
  for (const job of next.jobs) {
    if (!job.told) continue;
    Object.assign(job, { told: false, mount: 0, phase: JobPhase.Puzzled });
  }
  forgetAll(next);
  next.node.up = false;
  endChild(next);
}

function endChild({ node }: State): void {
  Object.assign(node, { child: Command.None, childEpoch: 0, childStuck: false, childKnown: false });
}

function killServer(next: State, lives: boolean, again: boolean): void {
  spend(next, 'serverCrash');
  next.node.up = false;
  if (lives) orphan(next);
  next.node.childKnown = false;
  if (again) {
    const commands = next.queue.filter(({ epoch }) => epoch > 0).map((m) => ({ ...m, repeat: false }));
    next.messages.push(...commands.slice(0, MESSAGES - next.messages.length));
  }
  next.queue = [];
  next.node.progress = 0;
}

/** The child that runs outlives its server. */
function orphan({ node, queue }: State): void {
  if (node.progress !== 1 || node.child !== Command.None) return;
  Object.assign(node, { child: queue[0].command, childEpoch: epochOf(queue[0]), childKnown: false });
}

function forgetAll(next: State): void {
  if (next.life > 0) {
    // Of epochs that a restored ledger has not come to again nobody knows any more.
    next.settledEpoch = Math.min(next.settledEpoch, next.row.epoch);
    next.actedEpoch = Math.min(next.actedEpoch, next.row.epoch);
  }
  next.queue = [];
  Object.assign(next.node, {
    up: true,
    incarnation: next.node.incarnation + 1,
    epoch: 0,
    life: 0,
    outcome: Reply.None,
    progress: 0,
    childKnown: false,
    peerMark: 0,
    own: false,
    ledger: NO_LEDGER,
  });
}

/** The mount breaks from outside: for a while success may be answered that nobody can know to be none. */
function breaks(s: State, mount: number): void {
  s.lag = true;
  s.peerMount = 0;
  for (const job of s.jobs) if (job.told) job.mount = mount;
}
