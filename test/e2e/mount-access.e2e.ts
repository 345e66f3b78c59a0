import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { FuseProgram } from '../fleet/fuse-program';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { type NodeProcess } from '../fleet/node-process';
import { PROGRAMS } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { runCommand } from '../rig';
import { describeOnRig } from './on-rig';

const NOBODY = { user: 65_534, group: 65_534 };
/** A service user of jobs, and the group by which it is let in. */
const SERVICE = { user: 4712, group: 4711 };
const DEFAULT_BASE = '/var/lib/trilio/triliovault-mounts';

interface Finding {
  readonly name: string;
  readonly result: string;
  readonly detail: string;
}

/** Runs a line of shell as a local user of the node; $1 is `path`. */
function as(
  { user, group }: typeof NOBODY,
  line: string,
  path: string,
): { status: number | null; said: string } {
  const identity = [`--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--inh-caps=-all'];
  const { status, stdout, stderr } = spawnSync('setpriv', [...identity, 'sh', '-c', line, 'sh', path], {
    encoding: 'utf8',
    cwd: '/',
    timeout: 30_000,
  });
  return { status, said: stdout + stderr };
}

function accessOf(path: string): string {
  const { uid, gid, mode } = statSync(path);
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
}

describeOnRig('a local user of a node', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let holder: ChildProcess | null = null;

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    jobs = new Jobs(fleet);
    // Nothing but the bases and the mounts is to stop a user: what lies above them is the rig's.
    for (const directory of [rig.directory, fleet.directory]) chmodSync(directory, 0o711);
  });
  afterAll(async () => {
    holder?.kill('SIGKILL');
    await fleet?.stop();
    chmodSync(rig.directory, 0o700);
  });

  const started = async (settings: Readonly<Record<string, string>>): Promise<NodeProcess> => {
    const node = fleet.addNode(settings);
    await node.start();
    await fleet.acquainted();
    return node;
  };
  const mounted = async (target: S3Target, node: NodeProcess): Promise<string> => {
    const { body } = await jobs.mount(1, target, { host: node.host });
    expect(body).toMatchObject({ error_msg: null, status: 'success' });
    return String(body.mount_path);
  };
  const unmounted = async (target: S3Target, node: NodeProcess): Promise<void> => {
    expect((await jobs.unmount(1, target, { host: node.host })).body).toMatchObject({
      error_msg: null,
      unmounted: true,
    });
  };
  const checks = async (node: NodeProcess, changes: Record<string, string> = {}): Promise<Finding[]> => {
    const environment = { ...node.environment, ...changes };
    const { stdout } = await runCommand(process.execPath, [PROGRAMS.server, 'check', '--format', 'json'], {
      environment,
      timeoutMs: 60_000,
      expected: [0, 1],
    });
    return (JSON.parse(stdout) as { checks: Finding[] }).checks;
  };

  it('neither reads, writes nor deletes in an S3 mount, also where the base is open to all', async () => {
    const target = await fleet.targets.s3('closed');
    const path = await mounted(target, fleet.node);
    await writeFile(join(path, 'backup'), 'of root', { mode: 0o644 });
    expect(accessOf(fleet.node.base)).toMatch(/^0:0 755$/);
    expect(as(NOBODY, 'ls "$1"', fleet.node.base).said).toContain(target.id);
    for (const line of [
      'cat "$1/backup"',
      'ls "$1"',
      'echo changed >"$1/backup"',
      'rm -f "$1/backup"',
      'touch "$1/new"',
      'mkdir "$1/directory"',
      'chmod 777 "$1"',
    ]) {
      const { status, said } = as(NOBODY, line, path);
      expect({ line, isRefused: status !== 0, said }).toEqual({
        line,
        isRefused: true,
        said: expect.stringMatching(/Permission denied|Operation not permitted/) as unknown,
      });
    }
    expect(await readdir(path)).toEqual(['backup']);
    expect(await readFile(join(path, 'backup'), 'utf8')).toBe('of root');
    await unmounted(target, fleet.node);
  });

  it('is told of in check and log, and the base left alone, where somebody else has made it and it is open', async () => {
    const found = await checks(fleet.node);
    expect(found).toContainEqual({
      name: `access to ${fleet.node.base}`,
      result: 'warning',
      detail: `users outside of DMS_MOUNT_GROUP reach the mounts below ${fleet.node.base} (mode 755, group 0); to change that: chgrp 0 ${fleet.node.base} && chmod 750 ${fleet.node.base}`,
    });
    expect(found.filter(({ result }) => result === 'failed')).toEqual([]);
    expect(await fleet.node.log()).toContain('users outside of DMS_MOUNT_GROUP reach the mounts below');
    expect(accessOf(fleet.node.base)).toBe('0:0 755');
  });

  it('keeps, on a mount of an earlier version, access only until the node has its base for itself; the mount is taken up, told and unmounted clean', async () => {
    // Like the launcher of the version before it gives s3fs allow_other and no permissions.
    const program = await FuseProgram.create(join(fleet.directory, 'program'));
    const base = join(fleet.directory, 'earlier');
    mkdirSync(base, { mode: 0o755 });
    const node = await started({
      DMS_MOUNT_BASE: base,
      DMS_MOUNT_GROUP: String(SERVICE.group),
      DMS_S3VAULTFUSE_BIN: program.path,
    });
    const target = await fleet.targets.s3('earlier');
    const path = await mounted(target, node);
    expect(mountsBelow(path)[0]).not.toContain('default_permissions');
    await writeFile(join(path, 'file'), 'kept');
    expect(as(NOBODY, 'cat "$1/file"', path)).toEqual({ status: 0, said: 'kept' });
    holder = spawn('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sleep', '300'], {
      cwd: path,
      stdio: 'ignore',
    });
    await once(holder, 'spawn');

    // The upgrade: the program is gone, the launcher takes its place.
    await node.stop();
    rmSync(program.path);
    const found = await checks(node);
    expect(found).toContainEqual({
      name: `users of ${base}`,
      result: 'warning',
      detail: expect.stringMatching(
        new RegExp(
          `^no access for user 65534 \\((sleep|setpriv), PID ${holder.pid}, in ${path}\\): set DMS_MOUNT_GROUP`,
        ),
      ) as unknown,
    });
    expect(found).toContainEqual(
      expect.objectContaining({
        name: 'permissions in mounts',
        result: 'warning',
        detail: expect.stringContaining(path) as unknown,
      }),
    );
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    spawnSync('sh', ['-c', 'chgrp 4711 "$1" && chmod 750 "$1"', 'sh', base]);
    await node.start();
    expect(as(NOBODY, 'cat "$1/file"', path).status).not.toBe(0);
    expect(as(SERVICE, 'cat "$1/file"', path)).toEqual({ status: 0, said: 'kept' });
    expect((await jobs.mount(2, target, { host: node.host })).body).toMatchObject({
      reused_existing: true,
    });
    await jobs.unmount(2, target, { host: node.host });
    await unmounted(target, node);

    expect(mountsBelow(await mounted(target, node))[0]).toContain('default_permissions');
    await unmounted(target, node);
    expect(await checks(node)).toContainEqual(
      expect.objectContaining({ name: 'permissions in mounts', result: 'ok' }),
    );
  });

  it('reads and writes as a member of DMS_MOUNT_GROUP, also objects of other tools, and nobody else reaches the base', async () => {
    const base = join(fleet.directory, 'grouped');
    const node = await started({ DMS_MOUNT_BASE: base, DMS_MOUNT_GROUP: String(SERVICE.group) });
    const target = await fleet.targets.s3('grouped');
    await fleet.targets.store.putObject(target.bucket, 'foreign', 'of another tool');
    await fleet.targets.store.putObject(target.bucket, 'without/directory/object', 'deep');
    const path = await mounted(target, node);
    expect(accessOf(base)).toBe('0:4711 750');
    expect(accessOf(path)).toBe('0:4711 770');
    await writeFile(join(path, 'of-root'), 'root', { mode: 0o600 });
    // Owner and mode are those of the settings, whatever the writer wants.
    chmodSync(join(path, 'of-root'), 0o400);
    chownSync(join(path, 'of-root'), NOBODY.user, NOBODY.group);
    expect(accessOf(join(path, 'of-root'))).toBe('0:4711 770');
    const script = `cat "$1/foreign" "$1/without/directory/object" "$1/of-root" &&
      ls "$1" "$1/without" >/dev/null && echo new >"$1/new" && mkdir "$1/made" && echo in >"$1/made/in" &&
      mv "$1/new" "$1/moved" && rm "$1/of-root"`;
    expect(as(SERVICE, script, path)).toEqual({ status: 0, said: 'of another tooldeeproot' });
    expect(as(NOBODY, 'ls "$1"', path)).toMatchObject({ status: 2 });
    expect(as(NOBODY, 'cat "$1/foreign"', path).said).toContain('Permission denied');
    await unmounted(target, node);
    const keys = (await fleet.targets.store.listObjects(target.bucket)).map(({ key }) => key);
    expect(keys).toEqual(expect.arrayContaining(['foreign', 'made/in', 'moved']));
    expect(keys).not.toContain('of-root');
  });

  it('only reads where DMS_MOUNT_MODE says so, as the owner writes', async () => {
    const node = await started({
      DMS_MOUNT_BASE: join(fleet.directory, 'owned'),
      DMS_MOUNT_OWNER: '4713',
      DMS_MOUNT_GROUP: String(SERVICE.group),
      DMS_MOUNT_MODE: '0750',
    });
    const target = await fleet.targets.s3('owned');
    const path = await mounted(target, node);
    expect(accessOf(path)).toBe('4713:4711 750');
    expect(
      as({ user: 4713, group: SERVICE.group }, 'echo mine >"$1/file" && touch -d 2001-01-01 "$1/file"', path),
    ).toEqual({
      status: 0,
      said: '',
    });
    expect(as(SERVICE, 'cat "$1/file"', path)).toEqual({ status: 0, said: 'mine\n' });
    expect(as(SERVICE, 'echo other >"$1/file"', path).said).toContain('Permission denied');
    await unmounted(target, node);
  });

  it('no longer reaches the default base, which was open, and the log says so', async () => {
    const node = fleet.addNode({ DMS_MOUNT_BASE: DEFAULT_BASE });
    const script = `mount -t tmpfs none /var/lib && mkdir -p -m 755 ${DEFAULT_BASE} && exec "$@"`;
    node.words = ['unshare', '--mount', '--', 'sh', '-c', script, 'sh'];
    await node.start();
    expect(accessOf(`/proc/${node.pid}/root${DEFAULT_BASE}`)).toBe('0:0 750');
    expect(await node.log()).toContain(
      `reach the mounts below ${DEFAULT_BASE} (mode 755, group 0): dms-server has set it to DMS_MOUNT_GROUP and DMS_MOUNT_MODE`,
    );
    expect(readFileSync(`/proc/${node.pid}/mountinfo`, 'utf8')).toContain(' /var/lib ');
    await node.stop();
  });
});
