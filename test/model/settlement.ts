import { decide, finish, loseHeld, refuse } from './decision';
import { type Setting } from './rules';
import {
  Answer,
  Command,
  idleWorker,
  MountState,
  NOBODY,
  NOT_SEEN,
  PeerRow,
  Phase,
  Reply,
  type State,
  Task,
  type Worker,
} from './state';

/** What the node said, and of which mount and memory. */
interface Said {
  readonly reply: Reply;
  readonly incarnation: number;
  readonly mount: number;
  /** The mount of a Python peer that keeps it; 0: none. */
  readonly mark: number;
}

/** The transaction after a command: writes what the reply, or its absence, says, and decides anew. */
export function settle(s: State, index: number, setting: Setting): void {
  const { rules } = setting;
  const worker = s.workers[index];
  const { command, epoch, replyIncarnation: incarnation, replyMount: mount, replyEpoch } = worker;
  const mark = worker.replyMark;
  const reply = meaningOf(worker.reply, command, rules);
  learn(s, index);
  const tokenFits = !rules.tokenChecked || s.row.leaseHolder === index + 1;
  const epochFits = !rules.epochChecked || s.row.epoch === epoch;
  if (!tokenFits || !epochFits) return lookAnew(s, index);
  Object.assign(worker, { command: Command.None, epoch: 0, incarnation: 0 });
  const bare = command === Command.Probe && rules.fenceForUncertain;
  // What failed for good does nothing later; of what was done the same epoch may speak.
  const beyond = command === Command.Mount && reply === Reply.Failed ? 1 : 0;
  if (isStatement(reply) && !bare) s.settledEpoch = Math.max(s.settledEpoch, epoch + beyond);
  switch (reply) {
    case Reply.Stale:
      s.row.state = MountState.Uncertain;
      s.row.incarnation = incarnation;
      // The side that is behind goes on above the other.
      s.row.epoch = Math.max(s.row.epoch, replyEpoch);
      return decide(s, index, setting);
    case Reply.Unroutable:
      return unroutable(s, index, command, setting);
    case Reply.Unknown:
      return unknown(s, index, command, setting);
    case Reply.OtherLedger:
      return refused(s, index, command, mount, setting);
    default:
      return answered(s, index, command, { reply, incarnation, mount, mark }, setting);
  }
}

/** A repeat's look says nothing of how a mount or unmount went. */
function meaningOf(reply: Reply, command: Command, rules: Setting['rules']): Reply {
  const mayCount = command === Command.Fence || command === Command.Probe || !rules.lookSettlesFenceOnly;
  switch (reply) {
    case Reply.LookedMounted:
      return mayCount ? (command === Command.Unmount ? Reply.BusyMounted : Reply.Mounted) : Reply.Unknown;
    case Reply.LookedAbsent:
      return mayCount ? (command === Command.Mount ? Reply.Failed : Reply.Absent) : Reply.Unknown;
    case Reply.LookedBroken:
      return mayCount && command !== Command.Mount ? Reply.Broken : Reply.Unknown;
    default:
      return reply;
  }
}

function isStatement(reply: Reply): boolean {
  return (
    reply !== Reply.Stale &&
    reply !== Reply.Unroutable &&
    reply !== Reply.Unknown &&
    reply !== Reply.OtherLedger
  );
}

/** A reply tells the node's incarnation; a hello that differs was older. */
function learn(s: State, index: number): void {
  const worker = s.workers[index];
  if (worker.replyIncarnation !== 0 && worker.replyIncarnation !== worker.heard) {
    worker.heard = worker.replyIncarnation;
    worker.hello = false;
  }
  worker.reply = Reply.None;
  worker.replyIncarnation = 0;
  worker.replyMount = 0;
  worker.replyEpoch = 0;
  worker.replyMark = 0;
}

/** Somebody decided since: what this command came to has no meaning any more. */
function lookAnew(s: State, index: number): void {
  const worker = s.workers[index];
  if (s.row.leaseHolder === index + 1) {
    s.row.leaseHolder = NOBODY;
    s.row.leaseExpired = false;
  }
  if (worker.task === Task.Reconcile) s.workers[index] = idleWorker(worker);
  else {
    worker.phase = Phase.WantsLease;
    worker.command = Command.None;
    worker.epoch = 0;
    worker.incarnation = 0;
  }
}

/** Nothing was done: that is final for a mount, and says nothing of what an unmount or a fence is about. */
function unroutable(s: State, index: number, command: Command, setting: Setting): void {
  const worker = s.workers[index];
  worker.problem = true;
  if (command === Command.Mount) s.row.state = MountState.Absent;
  if (command === Command.Unmount) {
    s.row.state = setting.rules.unroutableUnmountUncertain ? MountState.Uncertain : MountState.Mounted;
  }
  if (worker.task === Task.Mount && command !== Command.Unmount) return refuse(s, index);
  decide(s, index, setting);
}

/** The node serves another ledger: final for a mount. Else nothing is settled, but what is seen to be gone is gone. */
function refused(s: State, index: number, command: Command, mount: number, setting: Setting): void {
  const worker = s.workers[index];
  worker.problem = true;
  s.row.state = command === Command.Mount ? MountState.Absent : MountState.Uncertain;
  const seen = mount !== NOT_SEEN;
  if (seen && mount !== s.row.mountId) loseHeld(s, worker.peerSeen || !setting.rules.laterHoldKept);
  if (worker.task === Task.Mount && command !== Command.Unmount) return refuse(s, index);
  decide(s, index, setting);
}

/** 504 for a mount, whose claim stays; who waits for something else first is refused. */
function unknown(s: State, index: number, command: Command, setting: Setting): void {
  const worker = s.workers[index];
  worker.problem = true;
  if (command !== Command.Probe) s.row.state = MountState.Uncertain;
  if (worker.task !== Task.Mount || command === Command.Unmount) return decide(s, index, setting);
  if (command === Command.Mount) finish(s, index, Answer.Unknown);
  else if (setting.rules.doubtRefused) refuse(s, index);
  else lookAnew(s, index);
}

function answered(s: State, index: number, command: Command, said: Said, setting: Setting): void {
  const { reply, incarnation } = said;
  const worker = s.workers[index];
  const { row } = s;
  if (command === Command.Mount) {
    if (reply === Reply.Failed) {
      row.state = MountState.Absent;
      row.incarnation = incarnation;
      return refuse(s, index);
    }
    if (reply === Reply.Mounted) worker.confirmed = incarnation;
    see(s, reply === Reply.Mounted ? MountState.Mounted : MountState.Broken, said);
    if (reply !== Reply.Mounted) return refuse(s, index);
  } else if (command === Command.Unmount) {
    worker.problem = reply !== Reply.Absent && !lifts(s, worker, said, setting.rules);
    const busy = setting.rules.busyFollowsLook && reply !== Reply.BusyMounted;
    row.state = reply === Reply.Absent ? MountState.Absent : busy ? MountState.Broken : MountState.Mounted;
    if (reply === Reply.Absent) row.mountId = 0;
  } else if (command === Command.Fence || !setting.rules.fenceForUncertain) {
    adopt(s, index, said, setting);
  } else if (row.state === MountState.Mounted) {
    const stands = reply === Reply.Mounted && incarnation === row.incarnation && said.mount === row.mountId;
    if (stands) worker.confirmed = incarnation;
    else worker.suspicious = true;
  }
  decide(s, index, setting);
}

/** True where nothing but a Python peer kept the mount of which the ledger shows that it has left. */
function lifts(s: State, worker: Worker, { mark }: Said, rules: Setting['rules']): boolean {
  const left = s.peerRow === PeerRow.Left || (!rules.peerLeftSince && s.peerRow === PeerRow.Outdated);
  if (!rules.peerLeavesByLedger || mark === 0 || mark === worker.lifts || !left) return false;
  worker.lifts = mark;
  return true;
}

/** The answer to a fence alone adopts or undoes. */
function adopt(s: State, index: number, said: Said, { rules }: Setting): void {
  const { reply, incarnation, mount } = said;
  const { row } = s;
  const sameMount =
    reply === Reply.Mounted && (!rules.mountIdCompared || row.mountId === 0 || row.mountId === mount);
  const worker = s.workers[index];
  if (reply === Reply.Mounted ? !sameMount : rules.loseOnFence)
    loseHeld(s, worker.peerSeen || !rules.laterHoldKept);
  worker.confirmed = incarnation;
  if (reply === Reply.Mounted) see(s, MountState.Mounted, said);
  else if (reply === Reply.Broken) see(s, MountState.Broken, said);
  else {
    row.state = MountState.Absent;
    row.incarnation = incarnation;
    row.mountId = 0;
  }
}

function see(s: State, state: MountState, { incarnation, mount }: Said): void {
  s.row.state = state;
  s.row.incarnation = incarnation;
  s.row.mountId = mount;
}
