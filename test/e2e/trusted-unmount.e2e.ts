import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Answer } from '../fleet/api';
import { Fleet } from '../fleet/fleet';
import { FuseProgram } from '../fleet/fuse-program';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses, stateSeenBy } from '../fleet/node-look';
import { type S3Target } from '../fleet/targets';
import { WireClient } from '../fleet/wire-client';
import { processesWithVariable, processState, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const GONE_MS = 60_000;

describeOnRig('an unmount that can be trusted', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let wire: WireClient;
  let fuse: FuseProgram;
  const started: ChildProcess[] = [];

  beforeAll(async () => {
    fuse = await FuseProgram.create(join(rig.directory, 'trusted-unmount-fuse'));
    const nodeSettings = {
      DMS_S3VAULTFUSE_BIN: fuse.path,
      DMS_UNMOUNT_TIMEOUT: '6',
      DMS_BUSY_TIMEOUT: '0.5',
    };
    fleet = await Fleet.start(rig, { nodeSettings, clientSettings: { DMS_SETTLE_INTERVAL: '0.5' } });
    jobs = new Jobs(fleet);
    wire = await WireClient.open(fleet.brokerUrl, fleet.node.host);
  });
  afterAll(async () => {
    for (const { pid } of started) killGroup(pid);
    await wire?.close();
    await fleet?.stop();
  });

  /** A program that says a word as soon as it holds what it is to hold. */
  const hold = async (program: string, ...args: string[]): Promise<ChildProcess> => {
    const child = spawn(program, args, { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    started.push(child);
    await once(child.stdout, 'data');
    return child;
  };
  const letGo = async (child: ChildProcess): Promise<void> => {
    const ended = once(child, 'close');
    killGroup(child.pid);
    await ended;
  };
  const mounted = async (name: string): Promise<{ target: S3Target; path: string; daemon: number }> => {
    const target = await fleet.targets.s3(name);
    const { body } = await jobs.mount(1, target);
    expect(body).toMatchObject({ status: 'success' });
    return { target, path: String(body.mount_path), daemon: s3fsProcesses(target.bucket)[0] };
  };
  const becomes = (target: S3Target, state: string): Promise<boolean> =>
    waitFor(async () => (await stateSeenBy(wire, target.id)) === state, {
      timeoutMs: GONE_MS,
      what: `${target.id} to be ${state}`,
    });
  const supervisorOf = (daemon: number): number => {
    const [, , session] = readFileSync(`/proc/${daemon}/stat`, 'utf8').split(') ')[1].split(' ').slice(1);
    return Number(session);
  };
  const gone = (answer: Answer): Record<string, unknown> => {
    expect(answer.body).toMatchObject({ status: 'success', unmounted: true, physically_mounted: false });
    return answer.body;
  };

  it('is not done while another mount namespace has the mount, and says who', async () => {
    const { target, path, daemon } = await mounted('namespace');
    const holder = await hold('unshare', '--mount', 'sh', '-c', 'echo there; exec sleep 300');
    const { body } = await jobs.unmount(1, target);
    expect(body).toMatchObject({ status: 'success', unmounted: false, error_code: 'BUSY' });
    expect(JSON.stringify(body)).toContain(`sleep (${holder.pid}, ${path})`);
    expect(mountsBelow(path)).toEqual([]);
    expect(processState(daemon)).toBeDefined();
    // Nobody else is given the target meanwhile.
    expect((await jobs.mount(2, target)).body).toMatchObject({ status: 'error' });
    await letGo(holder);
    await becomes(target, 'absent');
    expect(processState(daemon)).toBeUndefined();
    expect((await jobs.mount(3, target)).body).toMatchObject({ status: 'success' });
    expect(gone(await jobs.unmount(3, target)).error_code).toBeNull();
  });

  describe('while other programs mount on the device numbers that get free', () => {
    let foreign: ChildProcess[] = [];
    let beside: string;

    beforeAll(async () => {
      beside = await mkdtemp(join(rig.directory, 'foreign-'));
      const elsewhere = await mkdtemp(join(rig.directory, 'foreign-'));
      // Each mount takes the lowest number that is free.
      const script = `echo there; while :; do
        for one in 1 2 3 4 5 6 7 8 9; do mount -t tmpfs foreign "$1"; done
        sleep 0.05
        while umount "$1" 2> /dev/null; do :; done
      done`;
      foreign = [
        await hold('unshare', '--mount', 'sh', '-c', script, 'sh', elsewhere),
        await hold('sh', '-c', script, 'sh', beside),
      ];
    });
    afterAll(async () => {
      for (const child of foreign) await letGo(child);
      while (mountsBelow(beside).length > 0) execFileSync('umount', [beside]);
    });

    it('an unmount after which all is stored is told to be clean', async () => {
      for (let round = 1; round <= 10; round += 1) {
        const { target, path } = await mounted(`foreign-${round}`);
        await writeFile(join(path, 'file'), 'what a job wrote');
        expect(gone(await jobs.unmount(1, target)).error_code).toBeNull();
        const stored = await fleet.targets.store.getObject(target.bucket, 'file');
        expect(stored.toString()).toBe('what a job wrote');
      }
    });

    it('an unmount whose daemon still flushes is not told to live on in another namespace', async () => {
      const target = await fleet.targets.s3('foreign-flush');
      await fuse.hold('end', target.bucket);
      await jobs.mount(1, target);
      const { body } = await jobs.unmount(1, target);
      expect(body).toMatchObject({ unmounted: false });
      expect(body.error_code).not.toBe('BUSY');
      expect(JSON.stringify(body)).not.toContain('namespace');
      await fuse.letGo('end', target.bucket);
      await becomes(target, 'absent');
    });
  });

  it('waits for a daemon that still flushes, and does not end it', async () => {
    const target = await fleet.targets.s3('slow-flush');
    await fuse.hold('end', target.bucket);
    await jobs.mount(1, target);
    const { body } = await jobs.unmount(1, target);
    expect(body).toMatchObject({ status: 'success', unmounted: false });
    expect(body.error_code).not.toBeNull();
    expect(['broken', 'unknown']).toContain(await stateSeenBy(wire, target.id));
    await fuse.letGo('end', target.bucket);
    await becomes(target, 'absent');
    await waitFor(async () => (await jobs.target(target.id))?.state === 'ABSENT', {
      timeoutMs: GONE_MS,
      what: 'the ledger to say so',
    });
    expect(s3fsProcesses(target.bucket)).toEqual([]);
  });

  it('ends such a daemon where that is allowed, and does not call it clean', async () => {
    const node = fleet.addNode({
      DMS_S3VAULTFUSE_BIN: fuse.path,
      DMS_UNMOUNT_TIMEOUT: '2',
      DMS_UNMOUNT_POLICY: 'term,kill',
    });
    await node.start();
    const target = await fleet.targets.s3('ended-flush');
    await fuse.hold('end', target.bucket);
    expect((await jobs.mount(1, target, { host: node.host })).body).toMatchObject({ status: 'success' });
    const answer = await jobs.unmount(1, target, { host: node.host });
    expect(gone(answer)).toMatchObject({ error_code: 'UNMOUNTED_DIRTY' });
    expect(processesWithVariable(`vault_s3_bucket=${target.bucket}`)).toEqual([]);
    await fuse.letGo('end', target.bucket);
  });

  it('is never clean where nobody saw the end of the daemon', async () => {
    const unseen = await mounted('unseen');
    process.kill(supervisorOf(unseen.daemon), 'SIGKILL');
    expect(gone(await jobs.unmount(1, unseen.target))).toMatchObject({ error_code: 'UNMOUNTED_DIRTY' });

    const clean = await mounted('clean');
    await writeFile(join(clean.path, 'file'), 'kept');
    expect(gone(await jobs.unmount(1, clean.target)).error_code).toBeNull();
    expect((await fleet.targets.store.getObject(clean.target.bucket, 'file')).toString()).toBe('kept');
  });

  it('names who keeps it busy, with the file, forces nothing, and is done later by itself', async () => {
    const { target, path } = await mounted('busy');
    const writer = await hold(
      'sh',
      '-c',
      'exec 3>"$1"; echo open; read -r go; echo late >&3',
      'sh',
      join(path, 'slow'),
    );
    const { body } = await jobs.unmount(1, target);
    expect(body).toMatchObject({ unmounted: false, physically_mounted: true, error_code: 'BUSY' });
    expect(JSON.stringify(body)).toContain(`sh (${writer.pid}, ${join(path, 'slow')})`);
    expect(mountsBelow(path)).toHaveLength(1);
    const ended = once(writer, 'close');
    writer.stdin?.end('go\n');
    await ended;
    await becomes(target, 'absent');
    expect((await fleet.targets.store.getObject(target.bucket, 'slow')).toString()).toBe('late\n');
  });

  it('touches no layer of a stranger, under or over ours', async () => {
    const { target, path } = await mounted('stacked');
    execFileSync('mount', ['-t', 'tmpfs', 'stranger', path]);
    const { body } = await jobs.unmount(1, target);
    expect(body).toMatchObject({ unmounted: false });
    expect(body.error_code).not.toBeNull();
    expect(mountsBelow(path)).toHaveLength(2);
    execFileSync('umount', [path]);
    await becomes(target, 'absent');

    const refused = await fleet.targets.s3('refused');
    const place = join(fleet.node.base, refused.id);
    execFileSync('mkdir', [place]);
    execFileSync('mount', ['-t', 'tmpfs', 'stranger', place]);
    expect((await jobs.mount(1, refused)).body).toMatchObject({ status: 'error', error_code: 'CONFLICT' });
    expect(mountsBelow(place)).toHaveLength(1);
    execFileSync('umount', [place]);
  });
});

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
