import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { type NodeProcess } from '../fleet/node-process';
import { PROGRAMS } from '../fleet/programs';
import { serverEnvironment } from '../fleet/server-environment';
import { SteadyWork } from '../fleet/steady-work';
import { type S3Target } from '../fleet/targets';
import { freePort, missingForSystemd, Systemd, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

interface Inventory {
  readonly inventory: {
    readonly mounts: readonly { backup_target_id: string; state: string; pid: number | null }[];
    readonly processes: readonly { backup_target_id: string; pid: number; alive: boolean }[];
  } | null;
}

/** A file of a mount that each restart is to leave as it is. */
async function expectKept(fleet: Fleet, target: S3Target, rounds: number): Promise<void> {
  for (const round of [1, rounds]) {
    const object = await fleet.targets.store.getObject(target.bucket, `file-${round}`);
    expect(object.toString()).toBe(`round ${round}\n`);
  }
  const open = (await fleet.targets.store.getObject(target.bucket, 'open')).toString();
  expect(open.trimEnd().split('\n')).toHaveLength(rounds);
}

/** For words before dms-server: that of a new container, of which nothing is hidden from the others. */
const NEW_NAMESPACE = ['unshare', '--mount', '--propagation', 'unchanged'];

describeOnRig('mounts of a dms-server that goes', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  const works: SteadyWork[] = [];

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    jobs = new Jobs(fleet);
  });
  afterAll(async () => {
    for (const work of works) work.kill();
    await fleet?.stop();
  });

  const begin = (path: string, words: readonly string[] = []): SteadyWork => {
    const work = SteadyWork.start(path, words);
    works.push(work);
    return work;
  };
  const seen = async (): Promise<NonNullable<Inventory['inventory']>> => {
    const answer = await waitFor(
      async () => (await fleet.api.get<Inventory>(`/api/v1/nodes/${fleet.node.host}`)).body.inventory,
      { timeoutMs: 30_000, what: 'the inventory of the node' },
    );
    return answer;
  };

  it('stay without one failed operation when it is stopped, killed and started again, and are taken up', async () => {
    const targets = await Promise.all(['restart', 'restart'].map((name) => fleet.targets.s3(name)));
    const paths = await Promise.all(
      targets.map(async (target) => String((await jobs.mount(1, target)).body.mount_path)),
    );
    const daemons = targets.map(({ bucket }) => s3fsProcesses(bucket));
    expect(daemons.map((pids) => pids.length)).toEqual([1, 1]);
    const running = paths.map((path) => begin(path));
    const goOn = (): Promise<unknown> => Promise.all(running.map((work) => work.goesOn()));
    await goOn();

    await fleet.node.stop();
    await goOn();
    await fleet.node.start();
    await goOn();
    for (let round = 0; round < 2; round += 1) {
      fleet.node.signal('SIGKILL');
      await fleet.node.ended(10_000);
      await goOn();
      await fleet.node.start();
      await goOn();
    }

    const { mounts, processes } = await seen();
    for (const [index, target] of targets.entries()) {
      const pid = daemons[index][0];
      expect(mounts).toContainEqual(
        expect.objectContaining({ backup_target_id: target.id, state: 'mounted', pid }),
      );
      expect(processes).toContainEqual(
        expect.objectContaining({ backup_target_id: target.id, pid, alive: true }),
      );
      expect(s3fsProcesses(target.bucket)).toEqual([pid]);
      expect(mountsBelow(paths[index])).toHaveLength(1);
    }
    // A job of after the restarts shares what stands.
    expect((await jobs.mount(2, targets[0])).body).toMatchObject({
      status: 'success',
      reused_existing: true,
    });
    await jobs.unmount(2, targets[0]);

    for (const [index, work] of running.entries()) {
      const { rounds, failed, errors } = await work.finish();
      expect({ failed, errors }).toEqual({ failed: 0, errors: '' });
      // What an adopted daemon flushed is known as well as of any other.
      const { body } = await jobs.unmount(1, targets[index]);
      expect(body).toMatchObject({ unmounted: true, physically_mounted: false, error_code: null });
      await expectKept(fleet, targets[index], rounds);
    }
  }, 180_000);

  /** As with containers: what is mounted below its base in one namespace shows in all. */
  const sharedNode = (): NodeProcess => {
    const node = fleet.addNode();
    mkdirSync(node.base, { recursive: true });
    execFileSync('mount', ['--bind', node.base, node.base]);
    execFileSync('mount', ['--make-shared', node.base]);
    return node;
  };

  it('stay when it is started again in other mount namespaces, and no job notices', async () => {
    const node = sharedNode();
    const { host } = node;
    const differences = async (): Promise<unknown> => {
      const report = await fleet.api.post<{ differences: unknown }>('/api/v1/admin/reconcile', { host });
      return report.body.differences;
    };
    try {
      await node.start();
      const target = await fleet.targets.s3('namespaces');
      const mounted = await jobs.mount(1, target, { host });
      expect(mounted.body).toMatchObject({ status: 'success' });
      const path = String(mounted.body.mount_path);
      const [daemon] = s3fsProcesses(target.bucket);
      const work = begin(path);
      node.words = NEW_NAMESPACE;
      for (const end of ['SIGTERM', 'SIGKILL'] as const) {
        node.signal(end);
        await node.ended(30_000);
        // Keeps the ids of mounts from being the same by chance.
        const taken = mkdtempSync(join(fleet.directory, 'taken-'));
        execFileSync('mount', ['-t', 'tmpfs', 'taken', taken]);
        try {
          await node.start();
        } finally {
          execFileSync('umount', [taken]);
        }
        // The first comparison with the ledger comes with the first hello; here is one more.
        expect(await differences()).toEqual([]);
        expect(await jobs.binding(1, target.id)).toBe('held');
        expect(await jobs.target(target.id)).toMatchObject({ state: 'MOUNTED' });
        expect((await jobs.mount(2, target, { host })).body).toMatchObject({ reused_existing: true });
        await jobs.unmount(2, target, { host });
        await work.goesOn();
        expect(s3fsProcesses(target.bucket)).toEqual([daemon]);
      }
      const { rounds, failed, errors } = await work.finish();
      expect({ failed, errors }).toEqual({ failed: 0, errors: '' });
      const { body } = await jobs.unmount(1, target, { host });
      expect(body).toMatchObject({ unmounted: true, physically_mounted: false, error_code: null });
      expect(mountsBelow(path)).toEqual([]);
      await expectKept(fleet, target, rounds);
    } finally {
      await node.stop();
      execFileSync('umount', ['--recursive', '--lazy', node.base]);
    }
  }, 180_000);

  it('are taken away when it is started again after the container that their daemons ended with, and can be made anew', async () => {
    const node = sharedNode();
    const { host } = node;
    try {
      await node.start();
      const target = await fleet.targets.s3('dead-layers');
      const mounted = await jobs.mount(1, target, { host });
      expect(mounted.body).toMatchObject({ status: 'success' });
      const path = String(mounted.body.mount_path);
      node.signal('SIGKILL');
      for (const pid of s3fsProcesses(target.bucket)) process.kill(pid, 'SIGKILL');
      await node.ended(10_000);
      expect(mountsBelow(path)).toHaveLength(1);
      node.words = NEW_NAMESPACE;
      await node.start();
      await waitFor(async () => (await jobs.binding(1, target.id)) === 'lost', {
        timeoutMs: 60_000,
        what: 'the job to be told that its mount is lost',
      });
      await waitFor(async () => (await jobs.mount(2, target, { host })).body.status === 'success', {
        timeoutMs: 60_000,
        what: 'the target to be mounted anew',
      });
      expect(mountsBelow(path)).toHaveLength(1);
      expect((await jobs.unmount(2, target, { host })).body).toMatchObject({
        unmounted: true,
        error_code: null,
      });
      expect(mountsBelow(path)).toEqual([]);
    } finally {
      await node.stop();
      execFileSync('umount', ['--recursive', '--lazy', node.base]);
    }
  }, 180_000);

  const missing = missingForSystemd();
  (missing === null ? it : it.skip)(
    `stay under systemd, whose unit ends all that belongs to it${missing === null ? '' : `: ${missing}`}`,
    async () => {
      const directory = join(fleet.directory, 'lab');
      mkdirSync(directory);
      const systemd = await Systemd.start(join(directory, 'systemd'));
      try {
        const host = `${fleet.node.host}-lab`;
        const environment = serverEnvironment({
          host,
          directory,
          base: join(directory, 'mounts'),
          runDirectory: join(directory, 'run'),
          pidDirectory: join(directory, 'run/s3'),
          healthPort: await freePort(),
          brokerUrl: fleet.brokerUrl,
          authUrl: rig.cloud?.authUrl,
        });
        const lines = Object.entries(environment).map(
          ([name, value]) => `Environment="${name}=${value.replaceAll('%', '%%')}"`,
        );
        const log = join(directory, 'server.log');
        await systemd.define(
          'dms-server.service',
          `[Unit]
DefaultDependencies=no
[Service]
ExecStart=${process.execPath} ${PROGRAMS.server}
KillMode=control-group
StandardOutput=append:${log}
StandardError=append:${log}
${lines.join('\n')}
`,
        );
        const ready = async (): Promise<boolean> => {
          try {
            return (await fetch(`http://127.0.0.1:${environment.DMS_HEALTH_PORT}/health/ready`)).ok;
          } catch {
            return false;
          }
        };
        const isReady = (): Promise<boolean> =>
          waitFor(ready, { timeoutMs: 30_000, what: `dms-server to be ready` });
        await systemd.control('start', 'dms-server.service');
        await isReady();

        const target = await fleet.targets.s3('scope');
        const mounted = await jobs.mount(1, target, { host });
        expect(mounted.body).toMatchObject({ status: 'success' });
        const path = String(mounted.body.mount_path);
        const [daemon] = s3fsProcesses(target.bucket);
        expect(readFileSync(`/proc/${daemon}/cgroup`, 'utf8')).toMatch(
          /\/system\.slice\/dms-fuse-[0-9a-f]{16}-[0-9a-f]{8}\.scope$/m,
        );
        const work = begin(path, ['nsenter', `--target=${systemd.pid}`, '--mount', '--']);
        await work.goesOn();
        for (const verb of ['restart', 'kill --signal=SIGKILL', 'stop']) {
          await systemd.control(...verb.split(' '), 'dms-server.service');
          await work.goesOn();
          await systemd.control('start', 'dms-server.service');
          await isReady();
          await work.goesOn();
          expect(s3fsProcesses(target.bucket)).toEqual([daemon]);
        }
        const { rounds, failed, errors } = await work.finish();
        expect({ failed, errors }).toEqual({ failed: 0, errors: '' });
        const { body } = await jobs.unmount(1, target, { host });
        expect(body).toMatchObject({ unmounted: true, physically_mounted: false, error_code: null });
        await expectKept(fleet, target, rounds);
        const scopes = async (): Promise<boolean> =>
          !(await systemd.control('list-units', '--all', 'dms-fuse-*')).stdout.includes('dms-fuse');
        await waitFor(scopes, { timeoutMs: 10_000, what: 'the scope to go with its daemon' });
      } finally {
        await systemd.stop();
        rmSync(join(directory, 'systemd', 'units'), { recursive: true, force: true });
      }
    },
    180_000,
  );
});
