import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountsBelow } from '../fleet/mount-table';
import { type NodeProcess } from '../fleet/node-process';
import { processState, runCommand } from '../rig';
import { type Daemon, daemonsOf, processesNaming, signalDaemon } from './daemons';
import { type Harm, type HarmKind } from './harm-log';
import { type Act, doing, type HarmSize, type HarmTools, lasting, underWay } from './harm-tools';
import { type Program } from './keeper';
import { forgetRunDirectory } from './node-disks';
import { SERVICE_ACTS } from './service-harms';

const COMMAND_MS = 6_000;
/** For words before dms-server. What is mounted in its base shows in all namespaces. */
const NEW_NAMESPACE = ['unshare', '--mount', '--propagation', 'unchanged'];

/** How each harm is done and undone. */
export const ACTS: Record<HarmKind, Act> = {
  'client-kill': (tools, size) => killed('client-kill', tools, tools.fleet.clients, size),
  'client-pause': (tools, size) => paused('client-pause', tools, tools.fleet.clients, size),
  'client-term': (tools, size) => stopped('client-term', tools, tools.fleet.clients, size),
  'server-kill': (tools, size) => killed('server-kill', tools, tools.fleet.nodes, size),
  'server-pause': (tools, size) => paused('server-pause', tools, tools.fleet.nodes, size),
  'server-term': (tools, size) => stopped('server-term', tools, tools.fleet.nodes, size),
  'server-replace': serverReplaced,
  'run-full': runDirectoryFull,
  'fuse-kill': fuseKilled,
  'fuse-pause': fusePaused,
  'node-reboot': nodeRebooted,
  'stranger-umount': strangerUnmounts,
  ...SERVICE_ACTS,
};

async function killed(
  kind: HarmKind,
  tools: HarmTools,
  programs: readonly Program[],
  size: HarmSize,
): Promise<void> {
  await onProgram(kind, tools, programs, size, async (program) => {
    tools.keeper.letBe(program);
    program.signal('SIGKILL');
    await program.stop();
    await lasting(tools, size.howLong * 4_000);
    await tools.keeper.bringUp(program);
  });
}

/** With requests to work on, if any come: they are what a stop can lose. */
async function stopped(
  kind: HarmKind,
  tools: HarmTools,
  programs: readonly Program[],
  size: HarmSize,
): Promise<void> {
  await onProgram(kind, tools, programs, size, async (program) => {
    await underWay(tools, program);
    tools.keeper.letBe(program);
    await program.stop();
    await lasting(tools, size.howLong * 2_000);
    await tools.keeper.bringUp(program);
  });
}

/** As a container or a pod is replaced: the new server finds the mounts in a mount namespace of its own. */
async function serverReplaced(tools: HarmTools, size: HarmSize): Promise<void> {
  const node = freeOne(tools, tools.fleet.nodes, size.which);
  if (node === undefined) return;
  await doing(tools, node, async () => {
    const { keeper, harms } = tools;
    const harm = harms.begin('server-replace', keeper.nameOf(node), keeper.placeOf(node));
    keeper.letBe(node);
    if (size.howLong < 0.5) node.signal('SIGKILL');
    await node.stop();
    // From one in a namespace of its own the next goes back to that of the machine.
    node.words = node.words.length === 0 ? NEW_NAMESPACE : [];
    await keeper.bringUp(node);
    harms.end(harm);
  });
}

/** Nothing can be written down at the node for a while. */
async function runDirectoryFull(tools: HarmTools, { which, howLong }: HarmSize): Promise<void> {
  const node = freeOne(tools, tools.fleet.nodes, which);
  if (node === undefined) return;
  await doing(tools, node, async () => {
    const { keeper, harms } = tools;
    const harm = harms.begin('run-full', keeper.nameOf(node), keeper.placeOf(node));
    const filler = join(node.runDirectory, 'filler');
    try {
      // Ends with "No space left on device".
      await command('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k', 'status=none']);
      await lasting(tools, 1_000 + howLong * 8_000);
    } finally {
      await rm(filler, { force: true });
    }
    await keeper.awaitReady(node);
    harms.end(harm);
  });
}

/** Longer than a lease: others take over, and the paused one goes on with what it believes. */
async function paused(
  kind: HarmKind,
  tools: HarmTools,
  programs: readonly Program[],
  size: HarmSize,
): Promise<void> {
  await onProgram(kind, tools, programs, size, async (program) => {
    tools.keeper.letBe(program);
    program.signal('SIGSTOP');
    try {
      // Mostly little more than a lease; now and then longer than a request may take.
      await lasting(tools, tools.leaseMs + 500 + size.howLong ** 3 * 20_000);
    } finally {
      program.signal('SIGCONT');
    }
    await tools.keeper.awaitContinued(program);
  });
}

async function onProgram(
  kind: HarmKind,
  tools: HarmTools,
  programs: readonly Program[],
  { which }: HarmSize,
  work: (program: Program) => Promise<void>,
): Promise<void> {
  const program = freeOne(tools, programs, which);
  if (program === undefined) return;
  await doing(tools, program, async () => {
    const { keeper, harms } = tools;
    const harm = harms.begin(kind, keeper.nameOf(program), keeper.placeOf(program));
    await work(program);
    harms.end(harm);
  });
}

async function fuseKilled(tools: HarmTools, { which }: HarmSize): Promise<void> {
  const daemon = freeOne(tools, allDaemons(tools), which);
  if (daemon === undefined) return;
  const harm = beginDaemonHarm('fuse-kill', tools, daemon);
  if (signalDaemon(daemon, 'SIGKILL')) harm.breaks = 'surely';
  await Promise.resolve();
  tools.harms.end(harm);
}

/** A daemon that hangs for a while: the mount hangs with it. */
async function fusePaused(tools: HarmTools, { which, howLong }: HarmSize): Promise<void> {
  const daemon = freeOne(tools, allDaemons(tools), which);
  if (daemon === undefined) return;
  const resume = (): boolean => signalDaemon(daemon, 'SIGCONT');
  // Nobody else would continue it where this process ends early.
  process.once('exit', resume);
  await doing(tools, daemon.pid, async () => {
    const harm = beginDaemonHarm('fuse-pause', tools, daemon);
    signalDaemon(daemon, 'SIGSTOP');
    try {
      await lasting(tools, 1_000 + howLong * 14_000);
    } finally {
      resume();
      process.off('exit', resume);
    }
    tools.harms.end(harm);
  });
}

/**
 * What a reboot leaves: no server, no daemons, no mounts, no run directory (which lies in memory), and the mountpoints
 * on disk. The kernel's boot id stays, as far as one machine can go.
 */
async function nodeRebooted(tools: HarmTools, { which }: HarmSize): Promise<void> {
  const node = freeOne(tools, tools.fleet.nodes, which);
  if (node === undefined) return;
  await doing(tools, node, async () => {
    tools.keeper.letBe(node);
    const place = { host: node.host, targetId: null };
    const harm = tools.harms.begin('node-reboot', tools.keeper.nameOf(node), place, 'maybe');
    node.signal('SIGKILL');
    await node.stop();
    for (const daemon of daemonsOf(node)) signalDaemon(daemon, 'SIGKILL');
    for (const path of mountpointsOf(node)) await command('umount', ['-l', path]);
    endProcessesOf(node);
    harm.breaks = 'surely';
    await forgetRunDirectory(node);
    await tools.keeper.bringUp(node);
    tools.harms.end(harm);
  });
}

/** Supervisors, and what a server that was killed had been starting; never those who only look into the mounts. */
function endProcessesOf(node: NodeProcess): void {
  for (const { pid, command: text } of processesNaming(dirname(node.base))) {
    if (!/^\/bin\/(cat|dd) /.test(text) && processState(pid) !== undefined) process.kill(pid, 'SIGKILL');
  }
}

async function strangerUnmounts(tools: HarmTools, { which }: HarmSize): Promise<void> {
  const daemon = freeOne(tools, allDaemons(tools), which);
  if (daemon === undefined) return;
  const { node, targetId } = daemon;
  await doing(tools, daemon.pid, async () => {
    const harm = tools.harms.begin('stranger-umount', nameOf(tools, daemon), placeOf(daemon), 'maybe');
    for (let attempt = 0; attempt < 5 && !tools.ending.aborted; attempt += 1) {
      if (await command('umount', [`${node.base}/${targetId}`])) {
        harm.breaks = 'surely';
        break;
      }
      await sleep(100);
    }
    tools.harms.end(harm);
  });
}

function beginDaemonHarm(kind: HarmKind, tools: HarmTools, daemon: Daemon): Harm {
  return tools.harms.begin(kind, nameOf(tools, daemon), placeOf(daemon), 'maybe');
}

function nameOf({ keeper }: HarmTools, { pid, node, targetId }: Daemon): string {
  return `${targetId} on ${keeper.nameOf(node)} (pid ${pid})`;
}

function placeOf({ node, targetId }: Daemon): { host: string; targetId: string } {
  return { host: node.host, targetId };
}

function allDaemons({ fleet, busy }: HarmTools): Daemon[] {
  return fleet.nodes
    .filter((node) => !busy.has(node))
    .flatMap((node) => daemonsOf(node))
    .filter(({ pid }) => !busy.has(pid));
}

function mountpointsOf(node: NodeProcess): string[] {
  return mountsBelow(node.base)
    .map((line) => line.split(' ')[4])
    .reverse();
}

function freeOne<T>({ busy }: HarmTools, all: readonly T[], which: number): T | undefined {
  const free = all.filter((one) => !busy.has(one));
  return free[Math.floor(which * free.length)];
}

/** Whether a command succeeded, in its time. */
async function command(name: string, args: readonly string[]): Promise<boolean> {
  try {
    await runCommand(name, args, { timeoutMs: COMMAND_MS });
    return true;
  } catch {
    return false;
  }
}
