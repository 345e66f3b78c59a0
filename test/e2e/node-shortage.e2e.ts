import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { type NodeProcess } from '../fleet/node-process';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const SOON_MS = 30_000;

/** A node whose base and run directory are small file systems of their own. */
describeOnRig('a node that is short of something', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let node: NodeProcess;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodes: 0, clientSettings: { DMS_SETTLE_INTERVAL: '0.5' } });
    node = fleet.addNode();
    for (const directory of [node.base, node.runDirectory]) {
      await mkdir(directory, { recursive: true });
      const options = 'size=1m,nr_inodes=200,mode=755';
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
    }
    await node.start();
    await fleet.acquainted();
    jobs = new Jobs(fleet);
  }, 90_000);
  afterAll(async () => {
    await fleet?.stop();
  });

  const remount = (directory: string, mode: 'ro' | 'rw') => (): void => {
    execFileSync('mount', ['-o', `remount,bind,${mode}`, directory]);
  };
  /** As a file system that goes read-only; one of which files are open for writing cannot be remounted so. */
  const coverReadOnly = (directory: string) => (): void => {
    execFileSync('mount', ['--bind', directory, directory]);
    execFileSync('mount', ['-o', 'remount,bind,ro', directory]);
  };
  const uncover = (directory: string) => (): void => {
    execFileSync('umount', [directory]);
  };
  const fill = (directory: string) => (): void => {
    try {
      for (let index = 0; index < 1_000; index += 1)
        writeFileSync(join(directory, `filler-${index}`), 'x'.repeat(64 * 1024));
    } catch {
      // The last bytes.
    }
    try {
      writeFileSync(join(directory, 'filler-last'), 'x'.repeat(64 * 1024));
    } catch {
      // It is full now.
    }
  };
  const useInodes = (directory: string) => (): void => {
    try {
      for (let index = 0; index < 1_000; index += 1) writeFileSync(join(directory, `filler-${index}`), '');
    } catch {
      // None is left.
    }
  };
  const empty = (directory: string) => (): void => {
    for (const name of readdirSync(directory)) if (name.startsWith('filler-')) rmSync(join(directory, name));
  };
  const limitFiles = (): void => {
    const open = readdirSync(`/proc/${node.pid}/fd`).length;
    execFileSync('prlimit', ['--pid', String(node.pid), `--nofile=${open + 2}:`]);
  };
  const raiseLimit = (): void => {
    execFileSync('prlimit', ['--pid', String(node.pid), '--nofile=1024:']);
  };

  const refused = async (target: S3Target, says: RegExp): Promise<void> => {
    const { status, body } = await jobs.mount(1, target, { host: node.host });
    expect({ status, code: body.error_code, text: String(body.error_msg) }).toEqual({
      status: 503,
      code: 'NODE_FULL',
      text: expect.stringMatching(says) as string,
    });
    expect(['none', 'released']).toContain(await jobs.binding(1, target.id));
    expect(s3fsProcesses(target.bucket)).toEqual([]);
    expect(mountsBelow(node.base).filter((line) => line.includes(target.id))).toEqual([]);
  };
  const becomes = async (ready: boolean): Promise<void> => {
    await waitFor(async () => (await node.ready()) === ready, {
      timeoutMs: SOON_MS,
      intervalMs: 200,
      what: `dms-server to be ${ready ? 'ready' : 'unready'}`,
    });
  };

  it.each([
    ['run directory is full', () => fill(node.runDirectory), () => empty(node.runDirectory), /ENOSPC|full/],
    [
      'run directory is read-only',
      () => coverReadOnly(node.runDirectory),
      () => uncover(node.runDirectory),
      /EROFS/,
    ],
    ['mount base is read-only', () => remount(node.base, 'ro'), () => remount(node.base, 'rw'), /EROFS/],
    ['mount base has no inode left', () => useInodes(node.base), () => empty(node.base), /ENOSPC/],
    ['dms-server may open no more files', () => limitFiles, () => raiseLimit, /EMFILE/],
  ] as const)(
    'whose %s says so, keeps its mounts, is not ready, and mounts again afterwards',
    async (_, cause, mend, says) => {
      const [standing, asked] = [await fleet.targets.s3('standing'), await fleet.targets.s3('asked')];
      await fleet.targets.store.putObject(standing.bucket, 'file', 'what a job reads');
      const { body } = await jobs.mount(1, standing, { host: node.host });
      expect(body).toMatchObject({ status: 'success' });
      const { pid } = node;
      // Mountpoints that are still to be removed would give back what they take.
      await waitFor(() => readdirSync(node.base).length === 1, {
        timeoutMs: SOON_MS,
        what: 'the mountpoint of the standing mount alone',
      });
      cause()();
      try {
        await refused(asked, says);
        await becomes(false);
        expect(execFileSync('cat', [join(String(body.mount_path), 'file')]).toString()).toBe(
          'what a job reads',
        );
      } finally {
        mend()();
      }
      await becomes(true);
      expect(node.pid).toBe(pid);
      await waitFor(async () => (await jobs.mount(1, asked, { host: node.host })).body.status === 'success', {
        timeoutMs: SOON_MS,
        intervalMs: 500,
        what: 'the mount that was refused',
      });
      for (const target of [asked, standing])
        expect((await jobs.unmount(1, target, { host: node.host })).body).toMatchObject({ unmounted: true });
    },
    120_000,
  );

  it.each([
    [
      'run directory',
      () => fill(node.runDirectory),
      () => empty(node.runDirectory),
      /^the memory in the run/,
    ],
    [
      'mount base',
      () => remount(node.base, 'ro'),
      () => remount(node.base, 'rw'),
      /cannot be used \(EROFS\)/,
    ],
  ] as const)(
    'whose %s cannot be written is up, and dms-client shows why it carries out no command',
    async (_, cause, mend, problem) => {
      const { url } = fleet.clients[0];
      const shown = async (): Promise<unknown> => {
        const { body } = await fleet.api.get<{ nodes: { problem: string | null }[] }>('/api/v1/nodes');
        return body.nodes.find(({ problem }) => problem !== null) ?? null;
      };
      const gauge = async (): Promise<string | undefined> =>
        /^dms_node_refuses_commands\S* (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
      await waitFor(async () => (await gauge()) === '0', {
        timeoutMs: SOON_MS,
        intervalMs: 200,
        what: 'the gauge',
      });
      const causeAndLook = async (): Promise<unknown> => {
        // Again and again: what was under way before frees some room.
        cause()();
        return await shown();
      };
      try {
        const node = await waitFor(causeAndLook, {
          timeoutMs: SOON_MS,
          intervalMs: 200,
          what: 'the problem',
        });
        expect(node).toMatchObject({ state: 'up', problem: expect.stringMatching(problem) as string });
        await waitFor(async () => (await gauge()) === '1', {
          timeoutMs: SOON_MS,
          intervalMs: 200,
          what: 'the gauge to tell',
        });
        const ready = await fetch(`${url}/health/ready`);
        expect(ready.status).toBe(200);
        expect(await ready.text()).toContain('"nodes":{"warning":"node \\"');
      } finally {
        mend()();
      }
      await waitFor(async () => (await shown()) === null, {
        timeoutMs: SOON_MS,
        intervalMs: 200,
        what: 'the problem to be gone',
      });
    },
    90_000,
  );
});
