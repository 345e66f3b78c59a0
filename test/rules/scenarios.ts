import { type HistoryDefects } from '../histories/world';
import { LEASE_MS } from '../histories/client-process';
import { type Stored } from '../histories/fake-ledger';
import { Stage } from '../interleavings/stage';
import { wrongAtRest, wrongNow } from '../interleavings/verdict';

/** Carries out what is to show a rule; a wrong that it finds itself is its result. */
type Scenario = (stage: Stage, defects: HistoryDefects) => Promise<string | null>;

const BRIEF_MS = 3_000;
const SILENCE_MS = 10_000;
const LONG_MS = 60_000;

/** Stories for single rules, each of which ends well as long as the rule is there. */
export const SCENARIOS = {
  'a node reboots, its new hello is heard, and a job asks for the mount that was': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'A'));
    stage.node.reboot();
    await stage.hello();
    await settled(stage, stage.ask('mount', 2, 'A'));
    return wrongOf(stage, 2);
  },
  'a node reboots, somebody mounts the target by hand, and a job asks for it': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'A'));
    const { id = 0 } = stage.node.mount ?? {};
    stage.node.reboot();
    stage.node.mountByHand(id);
    await stage.hello();
    await settled(stage, stage.ask('mount', 2, 'A'));
    const { state } = stage.database.stored.bindings.get(1) ?? {};
    return state === 'lost' ? null : 'I1: a job drifts onto another mount';
  },
  'a node loses its memory, its new hello is heard, and the last job unmounts': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'A'));
    stage.node.loseMemory();
    await stage.hello();
    await settled(stage, stage.ask('unmount', 1, 'A'));
    return stage.node.mount === null ? null : 'I2: the last job is answered, and its mount stands';
  },
  'what a mount came to is found out when its claim is old already': async (stage) => {
    stage.networkFaults.push('command lost');
    await settled(stage, stage.ask('mount', 1, 'A'));
    await settled(stage, stage.ask('mount', 2, 'A'));
    const operation = (): string | undefined => [...stage.database.stored.operations.values()].at(0)?.status;
    for (let passed = 0; passed < 2 * LONG_MS && operation() === 'executing'; passed += BRIEF_MS) {
      await stage.pass(BRIEF_MS);
    }
    await stage.pass(BRIEF_MS);
    const state = stage.database.stored.bindings.get(1)?.state;
    return operation() === 'success' && state === 'claimed'
      ? null
      : `I3: the operation says ${operation()}, and its binding is ${state}`;
  },
  'a daemon dies on a node that has gone silent, and a job asks for the mount': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'A'));
    await stage.time.pass(SILENCE_MS);
    stage.node.die();
    const asked = stage.ask('mount', 2, 'A');
    await stage.time.pass(BRIEF_MS);
    void asked;
    return wrongOf(stage, 2);
  },
  'a job mounts through one writer while the last one unmounts through the other': async (stage) => {
    stage.start('B', 1);
    await stage.hello();
    await settled(stage, stage.ask('mount', 1, 'A'));
    await stage.hello();
    // The unmount has decided to take the mount away, and its COMMIT is under way.
    let commits = 0;
    stage.gates.stops = (side, point) => {
      if (side !== 'process A' || point !== 'before a commit') return false;
      commits += 1;
      return commits === 2;
    };
    const unmounted = stage.ask('unmount', 1, 'A');
    await stage.time.pass(BRIEF_MS);
    await stage.hello();
    const mounted = stage.ask('mount', 2, 'B');
    await stage.time.pass(BRIEF_MS);
    stage.gates.openAll();
    await settled(stage, Promise.all([unmounted, mounted]));
    return wrongNow(stage);
  },
  'a mount is lost between the commit that grants it and the answer': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'B'));
    stage.gates.stops = (side, point) => side === 'process A' && point === 'after a commit';
    const asked = stage.ask('mount', 2, 'A');
    await stage.time.pass(100);
    // Only that request stands; the process goes on with all else.
    stage.gates.stops = () => false;
    stage.node.reboot();
    await stage.pass(LEASE_MS);
    stage.gates.openAll();
    await settled(stage, asked);
    const told = stage.requests.at(-1)?.answer === 'success';
    const lost = stage.database.stored.bindings.get(2)?.state === 'lost';
    return told && lost ? 'I1: a job is told success after its mount was lost' : null;
  },
  'a node has no room for a mount, which is delivered again when it has': async (stage, defects) => {
    stage.node.forgetsRefusals = defects.refusalForgotten ?? false;
    stage.node.faults.push('no room');
    stage.networkFaults.push('delivered twice');
    await settled(stage, stage.ask('mount', 1, 'A'));
    await stage.time.pass(BRIEF_MS);
    return wrongNow(stage);
  },
  'the ledger is restored from a backup, and a job mounts': async (stage) => {
    await mountAndUnmount(stage, 1);
    const backup = structuredClone(stage.database.stored);
    for (let job = 2; job < 12; job += 1) await mountAndUnmount(stage, job);
    restore(stage.database.stored, backup);
    stage.requests.length = 0;
    await settled(stage, stage.ask('mount', 20, 'A'));
    await stage.pass(BRIEF_MS);
    return stage.requests[0].answer === 'success' ? wrongAtRest(stage) : 'It is refused for ever';
  },
  'the answer to a mount is read after another process has settled the target, and the node rebooted': async (
    stage,
  ) => {
    stage.gates.stops = (side, point) => side === 'process A' && point.startsWith('after the answer');
    void stage.ask('mount', 1, 'A');
    void stage.ask('mount', 2, 'A');
    stage.disturbed = true;
    await stage.pass(LEASE_MS + BRIEF_MS);
    stage.node.reboot();
    await stage.pass(BRIEF_MS);
    stage.gates.openAll();
    await stage.time.pass(BRIEF_MS);
    return wrongNow(stage);
  },
  'a mount is cut off before its first transaction, and its job unmounts elsewhere': async (stage) => {
    stage.gates.stops = (side) => side === 'process A';
    const cut = stage.ask('mount', 1, 'A');
    await stage.time.pass(1);
    await settled(stage, stage.ask('unmount', 1, 'B'));
    stage.gates.openAll();
    await settled(stage, cut);
    await stage.pass(LONG_MS);
    return wrongAtRest(stage);
  },
  'a caller hangs up before its mount is begun, and asks for nothing more': async (stage, defects) => {
    const caller = new AbortController();
    stage.gates.stops = (side) => side === 'process A';
    const asked = stage.ask('mount', 1, 'A', defects.hangUpUnnoticed ? undefined : caller.signal);
    await stage.time.pass(100);
    caller.abort();
    stage.gates.openAll();
    await settled(stage, asked);
    await stage.pass(BRIEF_MS);
    return stage.node.mount === null ? null : 'I2: the target is mounted for a job that has gone';
  },
  'an unmount is cut off before its first transaction, and its job mounts again elsewhere': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'A'));
    stage.gates.stops = (side) => side === 'process A';
    const cut = stage.ask('unmount', 1, 'A');
    await stage.time.pass(1);
    await settled(stage, stage.ask('mount', 1, 'B'));
    stage.gates.openAll();
    await settled(stage, cut);
    await stage.pass(BRIEF_MS);
    return wrongNow(stage) ?? wrongAtRest(stage);
  },
  'a command takes longer than a lease': async (stage) => {
    stage.gates.stops = (side, point) => side === 'the node' && point === 'before it acts';
    void stage.ask('mount', 1, 'A');
    await stage.pass(BRIEF_MS);
    void stage.ask('mount', 2, 'B');
    await stage.pass(LEASE_MS + BRIEF_MS);
    stage.gates.openAll();
    await stage.pass(LONG_MS);
    return wrongAtRest(stage);
  },
  'a mount is sent after its node has rebooted and the target was settled': async (stage) => {
    stage.gates.stops = (side, point) => side === 'process A' && point === 'before it sends the mount';
    void stage.ask('mount', 1, 'A');
    await stage.pass(BRIEF_MS);
    stage.disturbed = true;
    await stage.pass(LONG_MS);
    stage.node.reboot();
    await stage.hello();
    stage.gates.openAll();
    await stage.pass(LONG_MS);
    return wrongAtRest(stage);
  },
  'a broken mount is in use when its last job unmounts, and another job comes': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'A'));
    stage.node.die();
    stage.node.faults.push('busy');
    await settled(stage, stage.ask('unmount', 1, 'A'));
    await settled(stage, stage.ask('mount', 2, 'A'));
    return wrongOf(stage, 2);
  },
  'a daemon dies, the node cannot be reached for the unmount, and another job comes': async (stage) => {
    await settled(stage, stage.ask('mount', 1, 'A'));
    stage.node.die();
    stage.node.up = false;
    await settled(stage, stage.ask('unmount', 1, 'A'));
    stage.node.up = true;
    await stage.hello();
    await settled(stage, stage.ask('mount', 2, 'A'));
    return wrongOf(stage, 2);
  },
} satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;

/** Null where all went well; else what happened, and what was wrong. */
export async function playScenario(name: ScenarioName, defects: HistoryDefects = {}): Promise<string | null> {
  const stage = new Stage(['A', 'B'], defects);
  try {
    await stage.hello();
    const wrong = await SCENARIOS[name](stage, defects);
    const wrongs = [...stage.wrongs, ...(wrong === null ? [] : [wrong])];
    return wrongs.length === 0 ? null : [...stage.words, ...wrongs].join('\n');
  } finally {
    stage.close();
  }
}

async function mountAndUnmount(stage: Stage, job: number): Promise<void> {
  await settled(stage, stage.ask('mount', job, 'A'));
  await settled(stage, stage.ask('unmount', job, 'A'));
}

/** Until the request is answered, or would have been. */
async function settled(stage: Stage, request: Promise<unknown>): Promise<void> {
  let done = false;
  void request.then(() => (done = true));
  for (let passed = 0; passed < LONG_MS && !done; passed += 100) await stage.time.pass(100);
}

/** The job was told success, and has no good mount. */
function wrongOf({ requests, node: { mount } }: Stage, job: number): string | null {
  const told = requests.some(({ jobid, answer }) => jobid === job && answer === 'success');
  return told && (mount === null || mount.broken)
    ? `I1: job ${job} is told success, and nothing good is mounted`
    : null;
}

function restore(stored: Stored, backup: Stored): void {
  Object.assign(stored.row, backup.row);
  for (const part of ['bindings', 'operations'] as const) {
    stored[part].clear();
    for (const [key, value] of backup[part] as Map<never, never>)
      (stored[part] as Map<never, never>).set(key, value);
  }
}
