import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { packClient, PackageUser } from '../fleet/package-user';
import { ROOT } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const INSTALLED = 'node_modules/@dynamic-mount-service/client';
const EXAMPLES = join(ROOT, 'libs/client/examples');

describeOnRig('the client package, installed', (rig) => {
  let fleet: Fleet;
  let target: S3Target;
  let users: Record<'module' | 'commonjs', PackageUser>;
  let token: string;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { clientSettings: { DMS_SETTLE_INTERVAL: '0.5' } });
    await fleet.acquainted();
    target = await fleet.targets.s3('package');
    token = await fleet.targets.cloud.token('owner');
    const directory = join(fleet.directory, 'users');
    await mkdir(directory);
    const tarball = await packClient(directory);
    users = {
      module: await PackageUser.create(join(directory, 'module'), 'module', tarball),
      commonjs: await PackageUser.create(join(directory, 'commonjs'), 'commonjs', tarball),
    };
    for (const user of Object.values(users)) {
      for (const name of await readdir(EXAMPLES)) {
        await user.write(name, await readFile(join(EXAMPLES, name), 'utf8'));
      }
    }
  });
  afterAll(() => fleet?.stop());

  const environment = (more: Record<string, string> = {}): Record<string, string> => ({
    DMS_API_URL: fleet.clients[0].url,
    NODE: fleet.node.host,
    TARGET_ID: target.id,
    SECRET_REF: target.secretRef,
    KEYSTONE_TOKEN: token,
    ...more,
  });

  describe.each(['module', 'commonjs'] as const)('in a project of type %s', (type) => {
    it.each(['node16', 'bundler'] as const)('has types for moduleResolution %s', async (resolution) => {
      await users[type].compile(resolution);
    });

    it('has examples that the command of its README compiles', async () => {
      const readme = await readFile(join(users[type].directory, INSTALLED, 'README.md'), 'utf8');
      const [, words, name] = /^npx tsc (.*) (\S+\.ts)$/m.exec(readme) ?? [];
      await users[type].compileFile(name, [...words.split(' '), '--noEmit']);
      // It is needed: without it nothing of Node.js is known.
      const without = words.replace('--types node ', '').split(' ');
      await expect(users[type].compileFile(name, [...without, '--noEmit'])).rejects.toThrow(/node:fs/);
    });

    it('brings no other package', async () => {
      const installed = await readdir(join(users[type].directory, 'node_modules'));
      expect(installed.filter((name) => !name.startsWith('.'))).toEqual(['@dynamic-mount-service', '@types']);
    });

    it('backs up and restores', async () => {
      const work = join(users[type].directory, 'work');
      await mkdir(work);
      const disk = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 256));
      await writeFile(join(work, 'disk.img'), disk);
      const vm = { VM_ID: `web-${type}`, JOB_ID: type === 'module' ? '1' : '2' };
      const backup = await users[type].start(
        'backup.js',
        environment({ ...vm, VM_DISK: join(work, 'disk.img') }),
      );
      expect(backup).toMatchObject({ stdout: `Backed up VM ${vm.VM_ID}\n`, stderr: '' });
      expect(mountsBelow(fleet.node.base)).toEqual([]);
      const stored = await fleet.targets.store.getObject(target.bucket, `vm-${vm.VM_ID}/disk.img`);
      expect(stored.equals(disk)).toBe(true);

      const restored = join(work, 'restored.img');
      const restore = await users[type].start('restore.js', environment({ ...vm, VM_DISK: restored }));
      expect(restore).toMatchObject({ stdout: `Restored VM ${vm.VM_ID}\n`, stderr: '' });
      expect((await readFile(restored)).equals(disk)).toBe(true);
      expect(mountsBelow(fleet.node.base)).toEqual([]);
    });

    it('shows what happens while another job mounts and unmounts by hand', async () => {
      const monitor = users[type].start('monitor.js', environment());
      let ended = false;
      const end = monitor.finally(() => (ended = true));
      end.catch(() => undefined);
      // Events are for those who listen already: the job comes again until the monitor has seen one go.
      const jobs: string[] = [];
      while (!ended) jobs.push((await users[type].start('by-hand.js', environment({ JOB_ID: '7' }))).stdout);
      expect(jobs[0]).toBe(
        `held at ${join(fleet.node.base, target.id)}\nunmounted\nunmount: success\nmount: success\n`,
      );
      const { stdout } = await end;
      // Asked for when the events begin: what happens meanwhile may be told before the answer.
      expect(stdout).toMatch(/^Active mounts: \d$/m);
      expect(stdout).toMatch(/^mounted \S+ 7\n[^]*^unmounted \S+/m);
    });
  });

  it('gives a target back when its process is asked to end, and ends by the signal then', async () => {
    const { directory } = users.module;
    const disk = join(directory, 'pipe');
    execFileSync('mkfifo', [disk]);
    const job = spawn(process.execPath, ['out/backup.js'], {
      cwd: directory,
      env: environment({ VM_ID: 'endless', JOB_ID: '9', VM_DISK: disk }),
      stdio: 'ignore',
    });
    // The job finds a writer, which never gives it anything.
    const writer = await open(disk, 'r+');
    try {
      const copy = join(fleet.node.base, target.id, 'vm-endless', 'disk.img.new');
      await waitFor(() => existsSync(copy), { timeoutMs: 30_000, what: 'the job to copy' });
      // Reading a pipe cannot be broken off: the second signal ends the waiting for it.
      await waitFor(() => job.exitCode !== null || job.signalCode !== null || !job.kill('SIGTERM'), {
        timeoutMs: 30_000,
        intervalMs: 500,
        what: 'the job to end',
      });
      expect(job.signalCode).toBe('SIGTERM');
    } finally {
      job.kill('SIGKILL');
      await writer.close();
    }
    await waitFor(() => mountsBelow(fleet.node.base).length === 0, {
      timeoutMs: 30_000,
      what: 'the mount to be gone',
    });
    expect(
      await fleet.query('SELECT action, status FROM mount_operations WHERE jobid = 9 ORDER BY created_at'),
    ).toEqual([
      { action: 'mount', status: 'success' },
      { action: 'unmount', status: 'success' },
    ]);
  });
});
