import { type Message, type State } from './state';
import { type Ledger } from './transaction';

/** Globals are looked up slowly where each test file has its own. */
const { imul } = Math;
const buffer = new Uint8Array(1024);
let length = 0;

/** Two independent 32 bit hashes of a state, for hash compaction. */
export function fingerprint(s: State): readonly [number, number] {
  write(s);
  let a = 0x811c9dc5;
  let b = 0x2545f491;
  for (let i = 0; i < length; i += 1) {
    a = imul(a ^ buffer[i], 0x01000193);
    b = imul(b + buffer[i] + 1, 0x9e3779b1);
    b ^= b >>> 15;
  }
  a = imul(a ^ (a >>> 16), 0x85ebca6b);
  return [(a ^ (a >>> 13)) >>> 0, b >>> 0];
}

/** Writes the state into the buffer. */
function write(s: State): void {
  length = 0;
  const { node, event, open } = s;
  putLedger(s);
  for (const worker of s.workers) putWorker(worker);
  for (const job of s.jobs) {
    put(job.phase);
    put(job.request);
    put(job.told);
    put(job.mount);
    put(job.sleep);
  }
  put(open === null ? 0 : open.worker + 1);
  if (open !== null) {
    put(open.isOvertaken);
    putLedger(open.before);
    putLedger(open.after);
    putWorker(open.workerBefore);
    putWorker(open.workerAfter);
  }
  put(node.up);
  put(node.incarnation);
  put(node.epoch);
  put(node.life);
  put(node.outcome);
  put(node.progress);
  put(node.child);
  put(node.childEpoch);
  put(node.childStuck);
  put(node.childKnown);
  put(node.peerMark);
  put(node.own);
  put(node.ledger);
  put(s.queue.length);
  for (const message of s.queue) putMessage(message);
  put(s.messages.length);
  for (const message of s.messages) putMessage(message);
  put(s.kernel);
  put(s.instance);
  put(s.instances);
  put(s.peer);
  put(s.peerMount);
  put(s.peerRow);
  put(s.peerMarks);
  put(event.incarnation);
  put(event.epoch);
  put(event.mountId);
  put(s.settledEpoch);
  put(s.actedEpoch);
  put(s.lag);
  put(s.life);
  put(s.draining);
  for (const left of s.faults) put(left);
}

function putLedger({ row, jobs, operations }: Ledger): void {
  put(row.state);
  put(row.epoch);
  put(row.incarnation);
  put(row.mountId);
  put(row.leaseHolder);
  put(row.leaseExpired);
  put(row.clockBack);
  for (const { binding, bindingOperation, lease } of jobs) {
    put(binding);
    put(bindingOperation);
    put(lease);
  }
  put(operations.length);
  for (const { status, task, job } of operations) {
    put(status);
    put(task);
    put(job);
  }
}

function putWorker(w: State['workers'][number]): void {
  put(w.heard);
  put(w.hello);
  put(w.phase);
  put(w.task);
  put(w.operation);
  put(w.command);
  put(w.epoch);
  put(w.incarnation);
  put(w.reply);
  put(w.replyIncarnation);
  put(w.replyMount);
  put(w.replyEpoch);
  put(w.replyMark);
  put(w.lifts);
  put(w.peerSeen);
  put(w.answer);
  put(w.suspicious);
  put(w.confirmed);
  put(w.problem);
}

function put(value: number | boolean): void {
  buffer[length] = value === true ? 1 : (value as number);
  length += 1;
}

function putMessage(message: Message): void {
  put(message.command);
  put(message.epoch);
  put(message.incarnation);
  put(message.sender);
  put(message.repeat);
  put(message.life);
  put(message.lifts);
}

/** Messages on their way have no order: they count as a multiset. */
export function sortMessages({ messages }: State): void {
  if (messages.length > 1) messages.sort((x, y) => weight(x) - weight(y));
}

function weight({ command, epoch, incarnation, sender }: Message): number {
  return ((command * 64 + epoch) * 64 + incarnation) * 8 + sender;
}
