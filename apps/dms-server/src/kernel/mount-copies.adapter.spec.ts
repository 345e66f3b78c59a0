import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { type ChildRunner } from '../processes/child-runner.interface';
import { waitUntil } from '../processes/delay';
import { RunningGroups } from '../processes/running-groups';
import { TestNode } from '../testing/test-node';
import { ProcMountCopies } from './mount-copies.adapter';
import { type CopiedMount } from './mount-copies.interface';
import { MountTableAdapter } from './mount-table.adapter';
import { type MountEntry } from './mount-table.interface';

/** Anybody may read the mount tables of others, and only root in which namespaces they are. */
const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** On real mounts and namespaces. */
(process.getuid?.() === 0 ? describe : describe.skip)('ProcMountCopies (as root)', () => {
  const node = new TestNode();
  const table = new MountTableAdapter();
  const groups = new RunningGroups();
  const children = new ChildRunnerAdapter(node.settings, undefined, groups);
  const unprivileged: Pick<ChildRunner, 'run'> = {
    run: (command) =>
      children.run({
        ...command,
        program: AS_NOBODY[0],
        args: [...AS_NOBODY.slice(1), command.program, ...command.args],
      }),
  };
  const copies = new ProcMountCopies(children, table, groups);
  const copiesAsNobody = new ProcMountCopies(unprivileged as ChildRunner, table, groups);
  const directory = mkdtempSync(join(tmpdir(), 'dms-copies-'));
  const path = join(directory, 'mount point');
  const other = join(directory, 'other');
  const holders: ChildProcessByStdio<null, Readable, null>[] = [];

  beforeAll(() => {
    for (const made of [path, other]) mkdirSync(made);
  });
  afterEach(async () => {
    for (const holder of holders.splice(0)) await letGo(holder);
    while ((await table.layersAt(path)).length > 0) execFileSync('umount', [path]);
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
    node.remove();
  });

  const mount = async (): Promise<MountEntry> => {
    execFileSync('mount', ['-t', 'tmpfs', 'dms-test', path]);
    const [layer] = await table.layersAt(path);
    return layer;
  };
  /** A process in a namespace of its own, which has executed the script there. */
  const hold = async (script = ''): Promise<number> => {
    const words = ['--mount', 'sh', '-ec', `${script}\necho there; exec sleep 300`, 'sh', path, other];
    const holder = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    holders.push(holder);
    await once(holder.stdout, 'data');
    return holder.pid ?? 0;
  };
  const letGo = async (holder: ChildProcessByStdio<null, Readable, null>): Promise<void> => {
    const ended = once(holder, 'close');
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
    await ended;
  };
  const pidsOf = ({ copies: found }: CopiedMount): number[] => found.map(({ user }) => user.pid);

  it.each([
    ['root', copies],
    ['somebody who may not read in which namespaces others are', copiesAsNobody],
  ])('finds as %s who keeps a copy of a mount until it lets go', async (_who, finder) => {
    const layer = await mount();
    const [atItsPath, elsewhere] = [await hold(), await hold('mount --move "$1" "$2"')];
    const before = await finder.find('t1', layer);
    // Others may make namespaces on this machine, too, and they copy all that is mounted.
    expect(before.copies).toEqual(
      expect.arrayContaining([
        { mntId: expect.any(Number) as number, user: { pid: atItsPath, command: 'sleep', path } },
        { mntId: expect.any(Number) as number, user: { pid: elsewhere, command: 'sleep', path: other } },
      ]),
    );
    execFileSync('umount', [path]);
    const left = await finder.left('t1', before);
    expect(pidsOf(left)).toEqual(expect.arrayContaining([atItsPath, elsewhere]));
    for (const holder of holders.splice(0)) await letGo(holder);
    const isOver = async (): Promise<true | null> => {
      const pids = pidsOf(await finder.left('t1', left));
      return !(pids.includes(atItsPath) || pids.includes(elsewhere)) || null;
    };
    expect(await waitUntil(5_000, isOver)).toBe(true);
  });

  it('finds a copy that was made while the mount was taken away', async () => {
    const before = await copies.find('t1', await mount());
    const holder = await hold();
    execFileSync('umount', [path]);
    expect(pidsOf(await copies.left('t1', before))).toContain(holder);
  });

  // The freed number is mostly the next one's at once; the others are for numbers that were free before.
  it.each([
    ['another file system', 'ramfs', 'foreign'],
    ['one of the same type and source', 'tmpfs', 'dms-test'],
  ])('takes %s that got the freed device number for no copy', async (_what, fstype, source) => {
    const layer = await mount();
    const before = await copies.find('t1', layer);
    execFileSync('umount', [path]);
    const holder = await hold(`
      for one in $(seq 500); do
        mount -t ${fstype} ${source} "$2"
        ! grep -q " ${layer.device} " /proc/self/mountinfo || break
      done
      grep -q " ${layer.device} " /proc/self/mountinfo`);
    expect(pidsOf(await copies.left('t1', before))).not.toContain(holder);
  });

  it.each([
    ['root', copies],
    ['somebody who may not read in which namespaces others are', copiesAsNobody],
  ])('takes as %s a mount of its own namespace for no copy', async (_who, finder) => {
    const layer = await mount();
    execFileSync('mount', ['--bind', path, other]);
    try {
      const ours = (await table.read()).map(({ mntId }) => mntId);
      const { copies: found } = await finder.find('t1', layer);
      expect(found.filter(({ mntId }) => ours.includes(mntId))).toEqual([]);
    } finally {
      execFileSync('umount', [other]);
    }
  });

  it('counts no copy in a namespace that dms-server made to change another directory', async () => {
    const layer = await mount();
    const abort = new AbortController();
    const script = 'touch "$1/there"; exec sleep 300';
    const changing = children.run({
      targetId: 't2',
      program: 'unshare',
      args: ['--mount', 'sh', '-c', script, 'sh', directory],
      deadlineMs: 30_000,
      signal: abort.signal,
    });
    const isThere = (): Promise<true | null> => Promise.resolve(existsSync(join(directory, 'there')) || null);
    expect(await waitUntil(10_000, isThere)).toBe(true);
    const ofSleepers = async (): Promise<string[]> => {
      const before = await copies.find('t1', layer);
      return before.copies.map(({ user }) => user.command).filter((command) => command === 'sleep');
    };
    expect(await ofSleepers()).toEqual([]);
    const holder = await hold();
    expect(pidsOf(await copies.find('t1', layer))).toContain(holder);
    abort.abort();
    await changing;
  });

  it('rejects where it cannot search', async () => {
    const finder = new ProcMountCopies(
      { ...children, run: () => Promise.resolve({ kind: 'deadline', gone: true, output: '' }) } as never,
      table,
      groups,
    );
    await expect(finder.find('t1', await mount())).rejects.toThrow('no answer within 2000 ms');
  });
});
