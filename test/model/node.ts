import { type Rules, type Setting } from './rules';
import {
  Binding,
  Command,
  Kernel,
  isInUse,
  mayFail,
  type Message,
  NO_LEDGER,
  NOT_SEEN,
  OURS,
  PeerPhase,
  peerRelies,
  PeerRow,
  Phase,
  QUEUE_LENGTH,
  Reply,
  Sleep,
  spend,
  type State,
  STRANGER,
  THEIRS,
} from './state';
import { type Steps } from './step';

/** What the network, the node and its kernel may do next. */
export function nodeSteps(steps: Steps, setting: Setting): void {
  network(steps, setting);
  queueSteps(steps, setting);
  childSteps(steps);
  if (!steps.state.node.up) steps.may('dms-server starts', ({ node }) => void (node.up = true));
}

function network(steps: Steps, { rules }: Setting): void {
  const s = steps.state;
  for (const [at, message] of s.messages.entries()) {
    const text = `${Command[message.command]}, epoch ${message.epoch}`;
    const fromPeer = message.epoch === 0 && message.command >= Command.PeerMount;
    if (!fromPeer && !isAwaited(s, message)) {
      steps.may(`${text}, for which nobody waits, expires`, ({ messages }) => void messages.splice(at, 1));
    }
    if (!s.node.up) continue;
    steps.may(`the node receives ${text}`, (next) => {
      next.messages.splice(at, 1);
      receive(next, message, rules);
    });
    if (fromPeer) continue;
    const full = mayFail(s, 'noRoom') && message.command !== Command.Probe;
    if (full) {
      steps.mayFromOutside(`the node receives ${text}, and has no room for it`, (next) => {
        spend(next, 'noRoom');
        next.messages.splice(at, 1);
        receive(next, message, rules, false);
      });
    }
    if (!mayFail(s, 'redeliver')) continue;
    for (const room of full ? [true, false] : [true]) {
      const refused = room ? '' : ' and has no room for it';
      steps.mayFromOutside(`the node receives ${text},${refused} which will be delivered again`, (next) => {
        spend(next, 'redeliver');
        if (!room) spend(next, 'noRoom');
        receive(next, message, rules, room);
      });
    }
  }
}

function isAwaited({ workers }: State, { sender, epoch, command }: Message): boolean {
  if (sender === STRANGER) return false;
  const worker = workers[sender - 1];
  return worker.phase === Phase.Awaits && worker.epoch === epoch && worker.command === command;
}

/** The fence first, then the target's queue. */
function receive(s: State, message: Message, rules: Rules, hasRoom = true): void {
  const { node, queue } = s;
  const { command, epoch, incarnation } = message;
  const ledger = message.sender === STRANGER ? THEIRS : OURS;
  if (command === Command.PeerMount || command === Command.PeerUnmount) return void queue.push(message);
  if (command === Command.Probe) {
    // Beside the queue nothing is certain while something is in it.
    const certain = (queue.length === 0 && node.child === Command.None) || !rules.fenceForUncertain;
    return reply(s, message, certain ? seen(s) : Reply.Unknown);
  }
  if (rules.incarnationChecked && incarnation !== node.incarnation) return reply(s, message, Reply.Stale);
  if (rules.ledgerChecked && node.ledger !== NO_LEDGER && node.ledger !== ledger) {
    if (isInUse(s)) return reply(s, message, Reply.OtherLedger);
    node.ledger = ledger;
    if (rules.takeoverRenews) {
      node.incarnation += 1;
      return reply(s, message, Reply.Stale);
    }
  }
  if (rules.lowerEpochStale && epoch < node.epoch) return reply(s, message, Reply.Stale);
  // Another operation under the same epoch: a restored ledger takes its epochs again.
  if (rules.epochOnce && epoch === node.epoch && message.life !== node.life)
    return reply(s, message, Reply.Stale);
  const repeat = rules.epochOnce && epoch === node.epoch;
  if (repeat && !rules.repeatQueued) return reply(s, message, repeated(s, message));
  if (!hasRoom || queue.length >= QUEUE_LENGTH) {
    const unknown = command !== Command.Mount || (repeat && rules.repeatNotRefused);
    if (unknown) return reply(s, message, Reply.Unknown);
    if (!repeat) promiseNothing(s, message);
    if (!repeat && rules.refusalRemembered) remember(s, message, ledger);
    return reply(s, message, Reply.Failed);
  }
  if (!repeat) remember(s, message, ledger);
  queue.push({ ...message, repeat });
}

function remember({ node }: State, { epoch, life }: Message, ledger: number): void {
  node.ledger = ledger;
  node.epoch = epoch;
  node.life = life;
  node.outcome = Reply.None;
}

/** What the node sees with nothing under way. */
function seen({ kernel }: State): Reply {
  return [Reply.Absent, Reply.Mounted, Reply.Broken][kernel];
}

/** A repeat gets the recorded outcome if that can still be so, else what is seen. */
function repeated(s: State, { command, epoch }: Message): Reply {
  const { node, kernel } = s;
  if (command === Command.Fence) return seen(s);
  if (node.epoch === epoch && node.outcome !== Reply.None && node.outcome === seen(s)) return node.outcome;
  return [Reply.LookedAbsent, Reply.LookedMounted, Reply.LookedBroken][kernel];
}

function reply(s: State, message: Message, what: Reply): void {
  if (what === Reply.OtherLedger && message.command === Command.Mount) promiseNothing(s, message);
  if (!isAwaited(s, message)) return;
  const worker = s.workers[message.sender - 1];
  if (worker.reply !== Reply.None) return;
  worker.reply = what;
  worker.replyIncarnation = s.node.incarnation;
  worker.replyMount = what === Reply.OtherLedger ? glance(s) : s.instance;
  worker.replyEpoch = what === Reply.Stale ? s.node.epoch : 0;
  worker.replyMark = what === Reply.BusyMounted || what === Reply.BusyBroken ? s.node.peerMark : 0;
}

/** What was refused is to do nothing at any time. */
function promiseNothing(s: State, { sender, epoch }: Message): void {
  if (sender !== STRANGER) s.settledEpoch = Math.max(s.settledEpoch, epoch + 1);
}

/** The good mount that is seen beside the queue. */
function glance({ queue, node, kernel, instance }: State): number {
  if (queue.length > 0 || node.child !== Command.None) return NOT_SEEN;
  return kernel === Kernel.Good ? instance : 0;
}

/** The first command in the target's queue: one at a time, none beside a child of an earlier one. */
function queueSteps(steps: Steps, setting: Setting): void {
  const s = steps.state;
  const message = s.queue.at(0);
  if (message === undefined || !s.node.up) return;
  const text = `${Command[message.command]}, epoch ${message.epoch}`;
  if (s.node.progress === 0) {
    if (childIsInTheWay(s, setting.rules)) {
      steps.may(`node: a child keeps ${text} from being begun; the answer says so`, (next) => {
        // For a Python peer that is an error: what it did not have it does not get, and what it has it has still.
        if (next.peer === PeerPhase.AsksMount && message.command === Command.PeerMount)
          next.peer = PeerPhase.Done;
        if (message.command === Command.PeerUnmount) next.peer = PeerPhase.Uses;
        end(next, Reply.Unknown);
      });
    } else begin(steps, message, text, setting);
  }
  if (s.node.progress === 1) {
    steps.may(`kernel: ${text} is done`, (next) => {
      next.node.progress = 2;
      return act(next, message.command, epochOf(message));
    });
    for (const fault of ['hang', 'stuck'] as const) {
      if (!mayFail(s, fault) || s.node.child !== Command.None) continue;
      const how = fault === 'hang' ? 'hangs' : 'hangs in the kernel';
      steps.mayFromOutside(`node: ${text} ${how} and is given up on; its child lives`, (next) => {
        spend(next, fault);
        const childStuck = fault === 'stuck';
        Object.assign(next.node, { child: message.command, childEpoch: epochOf(message), childKnown: true });
        next.node.childStuck = childStuck;
        end(next, Reply.Unknown);
      });
    }
  }
  if (s.node.progress === 2) steps.may(`node answers ${text}`, (next) => end(next, outcome(next, message)));
}

function childIsInTheWay({ node }: State, rules: Rules): boolean {
  if (node.child === Command.None) return false;
  return node.childKnown ? rules.childAwaited : rules.childAwaited && rules.childFoundAgain;
}

function begin(steps: Steps, message: Message, text: string, { rules }: Setting): void {
  const { command } = message;
  const { node, kernel } = steps.state;
  const unknown = kernel !== Kernel.Absent && !node.own && node.peerMark === 0;
  if (message.sender === STRANGER && unknown) {
    // Its ledger knows nothing of the mount, nor does the node: it is somebody else's.
    steps.may(`node lets be what it does not know, for ${text}`, (next) => end(next, Reply.Failed));
  } else if (message.repeat) {
    steps.may(`node answers the repeat of ${text}`, (next) => {
      if (command === Command.Fence) finds(next, rules);
      end(next, repeated(next, message));
    });
  } else if (command === Command.Fence) {
    steps.may(`node answers ${text}`, (next) => {
      finds(next, rules);
      end(next, seen(next));
    });
  } else if (command === Command.PeerMount || command === Command.PeerUnmount) {
    steps.may(`node carries ${Command[command]} out`, (next) => actForPeer(next, command, rules));
  } else if (command === Command.Mount) beginMount(steps, text);
  else beginUnmount(steps, message, text, rules);
}

/** A mount that a fence finds is remembered: the ledger, which sent the fence, counts on it. */
function finds({ node, kernel }: State, rules: Rules): void {
  if (rules.fenceMakesOwn && kernel !== Kernel.Absent) node.own = true;
}

function beginMount(steps: Steps, text: string): void {
  const s = steps.state;
  if (s.kernel === Kernel.Broken) {
    steps.may(`node refuses ${text}: a broken layer is in the way`, (next) => end(next, Reply.Failed));
    return;
  }
  steps.may(`node begins ${text}`, (next) => {
    next.node.own = true;
    next.node.progress = s.kernel === Kernel.Good ? 2 : 1;
  });
  if (s.kernel === Kernel.Absent && mayFail(s, 'mountFails')) {
    steps.mayFromOutside(`node: ${text} fails cleanly`, (next) => {
      spend(next, 'mountFails');
      end(next, Reply.Failed);
    });
  }
}

function beginUnmount(steps: Steps, { lifts }: Message, text: string, rules: Rules): void {
  const s = steps.state;
  const mark = s.node.peerMark;
  const lifted = rules.peerMountNamed ? lifts === mark : lifts > 0;
  const inUse = s.jobs.some(({ told, sleep, mount }) => told && sleep === Sleep.Deep && mount === s.instance);
  // A dead mount is of no use to anybody.
  const serves = s.kernel === Kernel.Good || !rules.peerKeepsGood;
  const kept = (rules.peerMakesBusy && mark !== 0 && !lifted && serves) || (rules.plainUnmount && inUse);
  const busy = (next: State): void =>
    end(next, next.kernel === Kernel.Broken ? Reply.BusyBroken : Reply.BusyMounted);
  if (s.kernel !== Kernel.Absent && kept) {
    steps.may(`node: ${text} finds the mount in use`, busy);
    return;
  }
  steps.may(`node begins ${text}`, ({ node }) => {
    node.peerMark = 0;
    node.progress = s.kernel === Kernel.Absent ? 2 : 1;
  });
  if (s.kernel !== Kernel.Absent && mayFail(s, 'busy')) {
    steps.mayFromOutside(`node: ${text} finds the mount in use`, (next) => {
      spend(next, 'busy');
      next.node.peerMark = 0;
      busy(next);
    });
  }
}

/** What is answered after the child of a mount or unmount has ended. */
function outcome({ kernel }: State, { command }: Message): Reply {
  if (command === Command.Mount) return kernel === Kernel.Good ? Reply.Mounted : Reply.Unknown;
  return kernel === Kernel.Absent ? Reply.Absent : Reply.Unknown;
}

/** Ends the first command in the queue: outcome recorded, reply sent. */
function end(s: State, what: Reply): void {
  const { node } = s;
  const message = s.queue[0];
  const settles = what === Reply.Mounted || what === Reply.Absent || what === Reply.Broken;
  if (node.epoch === message.epoch && !message.repeat) node.outcome = settles ? what : Reply.None;
  if (s.kernel === Kernel.Absent && node.child === Command.None) forgetHolders(s);
  if (message.epoch > 0) reply(s, message, what);
  s.queue.shift();
  node.progress = 0;
}

function forgetHolders({ node }: State): void {
  node.own = false;
  node.peerMark = 0;
}

/** A Python peer's command, which carries no epoch and is begun and ended in one step. */
function actForPeer(s: State, command: Command, rules: Rules): string | null {
  const { node } = s;
  // What is not remembered is somebody else's, and is left alone.
  const remembered = node.own || node.peerMark !== 0;
  let violation: string | null = null;
  if (command === Command.PeerMount) {
    const free = s.kernel === Kernel.Absent;
    if (free) mount(s);
    const mounted = s.kernel === Kernel.Good && (free || remembered);
    if (mounted) {
      s.peerMarks += 1;
      node.peerMark = s.peerMarks;
      if (s.peerRow === PeerRow.Left) s.peerRow = PeerRow.Outdated;
    }
    // A client that has given up learns nothing.
    if (s.peer === PeerPhase.AsksMount) s.peer = mounted ? PeerPhase.Answered : PeerPhase.Done;
    s.peerMount = mounted ? s.instance : 0;
  } else {
    node.peerMark = 0;
    s.peer = PeerPhase.Done;
    s.peerRow = PeerRow.Left;
    const kept = !remembered || (rules.ownMountKept && node.own);
    if (s.kernel !== Kernel.Absent && !kept) violation = unmount(s);
  }
  end(s, Reply.None);
  return violation;
}

function mount(s: State): void {
  s.kernel = Kernel.Good;
  s.instances += 1;
  s.instance = s.instances;
}

/** Takes the mount away, from whom it may be. */
function unmount(s: State): string | null {
  let violation: string | null = null;
  for (const [index, { told, mount: given, binding }] of s.jobs.entries()) {
    if (!told || given !== s.instance) continue;
    if (s.kernel === Kernel.Good)
      violation = `I1: the mount is taken from job ${index + 1}, which relies on it`;
    else if (binding === Binding.Held)
      violation = `I1: a broken layer goes while job ${index + 1} is still held`;
  }
  if (s.kernel === Kernel.Good && peerRelies(s)) {
    violation = 'I1: the mount is taken from a Python peer that relies on it';
  }
  s.kernel = Kernel.Absent;
  s.instance = 0;
  return violation;
}

/** The epoch in our ledger's count; 0: it is of another. */
export function epochOf({ sender, epoch }: Message): number {
  return sender === STRANGER ? 0 : epoch;
}

/** A command with an epoch, or a child of one, changes the kernel. */
function act(s: State, command: Command, epoch: number): string | null {
  const changes = command === Command.Mount ? s.kernel === Kernel.Absent : s.kernel !== Kernel.Absent;
  if (!changes) return null;
  let violation: string | null = null;
  if (command === Command.Mount) mount(s);
  else violation = unmount(s);
  if (epoch === 0) return violation;
  if (epoch <= s.actedEpoch) violation ??= 'I4: a repeated or older command changes the kernel';
  if (epoch < s.settledEpoch) violation ??= 'I4: a command that was overtaken changes the kernel';
  s.actedEpoch = Math.max(s.actedEpoch, epoch);
  return violation;
}

function childSteps(steps: Steps): void {
  const { child, childEpoch, childStuck } = steps.state.node;
  if (child === Command.None || childStuck) return;
  const forget = ({ node }: State): void => {
    Object.assign(node, { child: Command.None, childEpoch: 0, childKnown: false });
  };
  steps.may(`the child of ${Command[child]}, epoch ${childEpoch}, ends its work`, (next) => {
    const violation = act(next, child, childEpoch);
    forget(next);
    return violation;
  });
  steps.may(`the child of ${Command[child]}, epoch ${childEpoch}, dies`, forget);
}
