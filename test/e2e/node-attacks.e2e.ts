import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { type NodeProcess } from '../fleet/node-process';
import { PROGRAMS } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { WireClient } from '../fleet/wire-client';
import { cleanEnvironment } from '../rig';
import { describeOnRig } from './on-rig';

/** Nobody: an account with no rights on this machine. */
const STRANGER = 65_534;
/** All that a FUSE process may get, whatever the secret holds. */
const VARIABLES =
  /^(PATH|PWD|OLDPWD|_|SHLVL|LANG|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|vault_[a-z0-9_]+|bucket_object_lock|use_manifest_suffix|log_config_append|helper_command|dms_read_only)$/;

type Body = Record<string, unknown>;

/** docs/SECURITY.md lists the attacks; their many variants are unit tests beside the code. */
describeOnRig('attacks on a node', (rig) => {
  let fleet: Fleet;
  let target: S3Target;
  let request: Body;
  let hostile: NodeProcess;
  let home: string;
  let victim: string;
  let swapper: ChildProcess | null = null;

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    home = join(fleet.directory, 'home');
    victim = join(fleet.directory, 'victim');
    await mkdir(join(home, 'base'), { recursive: true, mode: 0o755 });
    await mkdir(victim, { mode: 0o755 });
    await chmod(fleet.directory, 0o755);
    await chown(home, STRANGER, STRANGER);
    hostile = fleet.addNode({ DMS_MOUNT_BASE: join(home, 'base') });
    await hostile.start();
    await fleet.acquainted();
    target = await fleet.targets.s3('attacked');
    request = await fleet.targets.request(fleet.node.host, 1, target);
  }, 90_000);
  afterAll(async () => {
    await endSwapper();
    await fleet?.stop();
  });

  async function endSwapper(): Promise<void> {
    if (swapper === null || swapper.exitCode !== null || swapper.signalCode !== null) return;
    const ended = once(swapper, 'exit');
    swapper.kill('SIGKILL');
    await ended;
  }
  const withTarget = (changes: Body, top: Body = {}): Body => ({
    ...request,
    ...top,
    backup_target: { ...(request.backup_target as Body), ...changes },
  });
  const mount = async (body: Body): Promise<Body> => (await fleet.api.post('/api/v1/mount', body)).body;
  const unmount = async (body: Body): Promise<Body> => (await fleet.api.post('/api/v1/unmount', body)).body;

  it('directories that are swapped for links while mounts are made: refused, and nothing lands elsewhere', async () => {
    const script = 'echo; while :; do mv base aside; ln -s ../victim base; rm -f base; mv aside base; done';
    swapper = spawn('/bin/sh', ['-c', script], {
      ...{ cwd: home, uid: STRANGER, gid: STRANGER },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    if (swapper.stdout !== null) await once(swapper.stdout, 'data');
    for (let attempt = 0; attempt < 8; attempt += 1) {
      expect(await mount({ ...request, host: hostile.host })).toMatchObject({
        error_code: 'MOUNT_FAILED',
        error_msg: expect.stringContaining(`${home} can be changed by others than root`) as string,
      });
    }
    expect(mountsBelow(fleet.directory)).toEqual([]);
    expect(readdirSync(victim)).toEqual([]);
    expect(s3fsProcesses(target.bucket)).toEqual([]);

    // Once it is root's the mount lands where it was asked for.
    await endSwapper();
    await chown(home, 0, 0);
    await rm(join(home, 'base'), { recursive: true, force: true });
    const path = join(home, 'base', target.id);
    expect(await mount({ ...request, host: hostile.host })).toMatchObject({ mount_path: path });
    expect(mountsBelow(path)).toHaveLength(1);
    expect(await unmount({ ...request, host: hostile.host })).toMatchObject({ unmounted: true });
  }, 90_000);

  it('a link in the place of a mountpoint, or of a directory above it: refused', async () => {
    await symlink(victim, join(fleet.node.base, 'link'));
    for (const path of ['link', 'link/below']) {
      const filesystem_export_mount_path = join(fleet.node.base, path);
      expect(await mount(withTarget({ filesystem_export_mount_path }))).toMatchObject({
        error_code: 'VALIDATION_FAILED',
        error_msg: expect.stringContaining('symbolic link') as string,
      });
    }
    await rm(join(fleet.node.base, 'link'));
    expect(readdirSync(victim)).toEqual([]);
    expect(mountsBelow(fleet.directory)).toEqual([]);
  });

  it.each([
    'rw,suid', 'rw\nsuid', String.raw`rw\054suid`, 'exec', 'context=system_u:object_r:etc_t:s0', 'timeo=1 -o suid', 'bind',
  ])('NFS options that bring others along, %j: refused', async (nfs_mount_opts) => {
    const nfs = { type: 'nfs', filesystem_export: 'server:/x', secret_ref: null, nfs_mount_opts };
    expect(await mount(withTarget(nfs))).toMatchObject({
      error_code: 'VALIDATION_FAILED',
      error_msg: expect.stringContaining('backup_target.nfs_mount_opts: ') as string,
    });
  }); // prettier-ignore

  it.each([
    '-o:/x', 'server -o suid:/x', 'server,suid:/x', 'server:/a/../b', 'server:/a\nb', 'server:/a\0b', '$(id):/x', 'server:/a,suid',
  ])('an export that is more than a name, %j: refused', async (filesystem_export) => {
    expect(await mount(withTarget({ type: 'nfs', filesystem_export, secret_ref: null }))).toMatchObject({
      error_code: 'VALIDATION_FAILED',
      error_msg: expect.stringContaining('backup_target.filesystem_export: ') as string,
    });
  }); // prettier-ignore

  it('buckets, endpoints and regions that are options, paths, lines or commands: refused, and nothing is started', async () => {
    const values = [
      ...['-oallow_root', '../b', 'b:/c', 'b -o uid=0', '$(touch x)', 'b\nLD_PRELOAD=x'].map((bucket) => ({ bucket })),
      ...['http://a,uid=0', String.raw`http://a\054uid=0`, 'http://a/\nLD_PRELOAD=x', 'file:///etc'].map((endpoint_url) => ({ endpoint_url })),
      ...['a,uid=0', 'a\nLD_PRELOAD=x'].map((region) => ({ region })),
      { aws_secret_access_key: 'x\nLD_PRELOAD=/tmp/x.so' },
      ...['/a,uid=0', '/etc/shadow', '/etc/ssl/../shadow', '/etc/ssl', '/etc/sslx/ca.pem'].map((ssl_cert) => ({ ssl_cert })),
    ]; // prettier-ignore
    for (const changes of values) {
      const secret_ref = await fleet.targets.secret(target.bucket, changes);
      expect([changes, await mount(withTarget({ secret_ref }))]).toEqual([
        changes,
        expect.objectContaining({ error_code: 'SECRET_UNAVAILABLE' }),
      ]);
    }
    expect(mountsBelow(fleet.directory)).toEqual([]);
    expect(readdirSync(join(fleet.node.runDirectory, 'fuse'))).toEqual([]);
  }, 60_000);

  it('a secret with variables of its own: the FUSE process has those it is to have, and no other', async () => {
    const secret_ref = await fleet.targets.secret(target.bucket, {
      LD_PRELOAD: '/tmp/x.so', PATH: '/tmp', BASH_ENV: '/tmp/x', CURL_CA_BUNDLE: '/tmp/x', 'A=B': 'c', helper_command: 'sh',
      'X\nLD_PRELOAD': 'x', vault_data_directory: '/etc', log_config_append: '/tmp/x', AWS_PROFILE: 'x',
    }); // prettier-ignore
    const its = withTarget({ secret_ref });
    expect(await mount(its)).toMatchObject({ status: 'success' });
    const [pid] = s3fsProcesses(target.bucket);
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
    expect(variables.map((text) => text.split('=')[0]).filter((name) => !VARIABLES.test(name))).toEqual([]);
    expect(variables).toContain('PATH=/usr/sbin:/usr/bin:/sbin:/bin');
    expect(variables).toContain(`vault_data_directory=${join(fleet.node.base, target.id)}`);
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max core file size +0 /);
    expect(await unmount(its)).toMatchObject({ unmounted: true });
  }, 60_000);

  it('ids that are commands, formats, or look like others: each is one target with a directory of its own', async () => {
    const ids = [
      '$(touch x);`id`|&',
      `'"\\ %n%s*?[a]`,
      'café',
      'cafe\u0301',
      'CAFÉ',
      'a.pid',
      ' a',
      'é'.repeat(101),
    ];
    const requests = ids.map((id) => withTarget({ id }));
    const answers = await Promise.all(requests.map(mount));
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 'success'));
    expect(new Set(answers.map(({ mount_path }) => mount_path)).size).toBe(ids.length);
    for (const { mount_path } of answers)
      expect(String(mount_path).startsWith(`${fleet.node.base}/`)).toBe(true);
    expect(mountsBelow(fleet.node.base)).toHaveLength(ids.length);
    expect(readdirSync(fleet.node.pidDirectory)).toHaveLength(ids.length);

    // The directory and the files of a long id are called by its hash: nobody else may be called so.
    const hash = createHash('sha256').update('é'.repeat(101)).digest('hex');
    expect(await mount(withTarget({ id: hash }))).toMatchObject({ error_code: 'CONFLICT' });
    // In a database this would be "a.pid".
    expect(await mount(withTarget({ id: 'a.pid ' }))).toMatchObject({ error_code: 'VALIDATION_FAILED' });

    const ends = await Promise.all(requests.map(unmount));
    expect(ends.map(({ unmounted }) => unmounted)).toEqual(ids.map(() => true));
    expect(readdirSync(fleet.node.pidDirectory)).toEqual([]);
    for (const directory of [fleet.node.runDirectory, fleet.node.base, '/'])
      expect(existsSync(join(directory, 'x'))).toBe(false);
  }, 120_000);

  it('commands past the facade: the node looks at all of it again', async () => {
    const wire = await WireClient.open(fleet.brokerUrl, fleet.node.host);
    try {
      for (const changes of [
        { filesystem_export_mount_path: '/etc/x' },
        { filesystem_export_mount_path: `${fleet.node.base}/../x` },
        { filesystem_export_mount_path: fleet.node.base },
        { id: '../x' },
        { id: 'a\u0000b' },
        { type: 'nfs', filesystem_export: '-o:/x' },
        { type: 'nfs', filesystem_export: 'server:/x', nfs_mount_opts: 'suid' },
      ]) {
        const { body } = await wire.call({ ...withTarget(changes), action: 'mount' });
        expect([changes, body.status]).toEqual([changes, 'error']);
      }
    } finally {
      await wire.close();
    }
    expect(mountsBelow(fleet.directory)).toEqual([]);
  });

  it('a run directory that others can change: dms-server does not start', async () => {
    const runDirectory = join(fleet.directory, 'run-of-all');
    await mkdir(runDirectory);
    await chmod(runDirectory, 0o1777);
    const env = {
      ...cleanEnvironment({ HOME: fleet.directory }),
      DMS_CONFIG_FILE: '/none',
      DMS_RABBITMQ_URL: fleet.brokerUrl,
      DMS_NODE_ID: 'attacked',
      DMS_MOUNT_BASE: join(fleet.directory, 'never'),
      DMS_RUN_DIR: runDirectory,
      DMS_HEALTH_PORT: '0',
    };
    const run = promisify(execFile)(process.execPath, [PROGRAMS.server], { env, timeout: 30_000 });
    await expect(run).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `DMS_RUN_DIR: ${runDirectory} can be changed by others than root`,
      ) as string,
    });
    expect(readdirSync(runDirectory)).toEqual([]);
  });
});
