import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Test, type TestingModule } from '@nestjs/testing';
import { DmsError, parseTargetRequest } from '@app/contracts';
import { readSettings } from '@app/platform';
import { type MountedAs } from '../../apps/dms-server/src/fence/target-record';
import { MOUNT_PROBE, type MountProbe } from '../../apps/dms-server/src/kernel/mount-probe.interface';
import {
  MOUNT_TABLE,
  type MountEntry,
  type MountTable,
} from '../../apps/dms-server/src/kernel/mount-table.interface';
import {
  MOUNTPOINT_GUARD,
  type MountpointGuard,
} from '../../apps/dms-server/src/kernel/mountpoint-guard.interface';
import { FuseProcessesService } from '../../apps/dms-server/src/processes/fuse-processes.service';
import { deadlineIn } from '../../apps/dms-server/src/providers/deadlines';
import { ProvidersModule } from '../../apps/dms-server/src/providers/providers.module';
import { S3Provider } from '../../apps/dms-server/src/providers/s3/s3.provider';
import { type MountPlan } from '../../apps/dms-server/src/providers/target-provider.interface';
import { SERVER_SETTINGS, type ServerSettings } from '../../apps/dms-server/src/settings/server.settings';
import { SettingsModule } from '../../apps/dms-server/src/settings/settings.module';
import { ObjectStoreFront } from '../fleet/object-store-front';
import { Rig, waitFor } from '../rig';

const BUCKET = 'provider';
const MOUNT_MS = 30_000;
const OBJECTS = 40;
/** Longer than s3fs once was let wait for an answer. */
const LATE_MS = 12_000;

/** The S3 provider on a real Keystone, Barbican, S3 endpoint and s3fs. */
describe('S3 provider', () => {
  let rig: Rig;
  let token: string;
  let nodeDirectory: string;
  let node: TestingModule;
  let provider: S3Provider;
  let processes: FuseProcessesService;
  let counter = 0;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['openstack', 's3'] });
    await rig.s3.createBucket(BUCKET);
    token = await rig.cloud.token('owner');
    nodeDirectory = await rig.subdirectory('node');
    await mkdir(join(nodeDirectory, 'run', 'fuse'), { recursive: true });
  }, 120_000);

  afterAll(() => rig?.stop(), 60_000);

  beforeEach(() => startNode());
  afterEach(() => node.close());

  async function startNode(environment: Record<string, string> = {}): Promise<void> {
    const settings = settingsOf(environment);
    node = await Test.createTestingModule({
      imports: [SettingsModule.of(settings), ProvidersModule],
    }).compile();
    node.useLogger(false);
    provider = node.get(S3Provider);
    processes = node.get(FuseProcessesService);
  }

  function settingsOf(environment: Record<string, string>): ServerSettings {
    const env = {
      DMS_RABBITMQ_URL: 'amqp://127.0.0.1',
      DMS_AUTH_URL: rig.cloud.address.authUrl,
      DMS_MOUNT_BASE: join(nodeDirectory, 'mounts'),
      DMS_RUN_DIR: join(nodeDirectory, 'run'),
      DMS_PID_DIR: join(nodeDirectory, 'run', 's3'),
      DMS_S3VAULTFUSE_BIN: join(nodeDirectory, 'not-installed'),
      DMS_BUSY_TIMEOUT: '0.3',
      ...environment,
    };
    return readSettings(SERVER_SETTINGS, { env, files: [], section: 'server' });
  }

  /** A target of its own for each test, prepared as the commands do it. */
  async function planFor(secret: Record<string, string> = {}, readOnly = false): Promise<MountPlan> {
    const secretRef = await rig.cloud.storeSecret(token, {
      aws_access_key_id: rig.s3.accessKey,
      aws_secret_access_key: rig.s3.secretKey,
      bucket: BUCKET,
      region: rig.s3.region,
      endpoint_url: rig.s3.endpoint,
      ...secret,
    });
    counter += 1;
    const targetId = `target ${counter}`;
    const mountPath = join(nodeDirectory, 'mounts', `target ${counter}`);
    const request = parseTargetRequest(
      {
        keystone_token: token,
        job: { jobid: counter },
        host: 'node',
        backup_target: { id: targetId, type: 's3', secret_ref: secretRef },
      },
      'mount',
    );
    await node.get<MountpointGuard>(MOUNTPOINT_GUARD).prepare(mountPath);
    return { targetId, request, source: secretRef, mountPath, readOnly };
  }

  function layers(plan: MountPlan): Promise<MountEntry[]> {
    return node.get<MountTable>(MOUNT_TABLE).layersAt(plan.mountPath);
  }

  function mountedAs(plan: MountPlan, layer: MountEntry): MountedAs {
    const { mntId, device, fstype } = layer;
    return {
      type: 's3',
      source: plan.source,
      mountPath: plan.mountPath,
      readOnly: plan.readOnly,
      mntId,
      device,
      fstype,
    };
  }

  async function unmount(plan: MountPlan, layer: MountEntry): ReturnType<S3Provider['unmount']> {
    return provider.unmount(
      {
        targetId: plan.targetId,
        mountedAs: mountedAs(plan, layer),
        livesElsewhere: () => Promise.resolve(false),
      },
      deadlineIn(MOUNT_MS),
    );
  }

  async function expectNothingLeft(plan: MountPlan, pid: number | null): Promise<void> {
    expect(await layers(plan)).toEqual([]);
    expect(await processes.find(plan.targetId)).toBeNull();
    expect(await readdir(join(nodeDirectory, 'run', 's3'))).toEqual([]);
    expect(await readdir(join(nodeDirectory, 'run', 'fuse'))).toEqual([]);
    if (pid !== null) await expect(stat(`/proc/${pid}`)).rejects.toThrow('ENOENT');
  }

  it('mounts, is found again after a restart, and unmounts with everything that was written', async () => {
    const plan = await planFor();
    const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
    expect(layer).toMatchObject({ mountPath: plan.mountPath, fstype: 'fuse.s3fs', source: 'TrilioVault' });
    const pid = await provider.daemonPid(plan.targetId);
    expect(await readFile(processes.pidFile(plan.targetId), 'utf8')).toBe(`${pid}\n`);
    await writeFile(join(plan.mountPath, 'kept'), 'words');

    await node.close();
    await startNode();
    expect(await provider.daemonPid(plan.targetId)).toBe(pid);
    expect(await processes.list()).toMatchObject([
      { backup_target_id: plan.targetId, pid, alive: true, mount_path: plan.mountPath },
    ]);

    expect(await unmount(plan, layer)).toMatchObject({ kind: 'gone', flushVerified: true, detail: null });
    expect((await rig.s3.getObject(BUCKET, 'kept')).toString()).toBe('words');
    await expectNothingLeft(plan, pid);
  });

  it('shows the keys to the FUSE process alone', async () => {
    const plan = await planFor();
    const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
    const pid = await provider.daemonPid(plan.targetId);
    const holders: number[] = [];
    for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
      const seen = await Promise.all(
        ['environ', 'cmdline'].map((file) => readFile(`/proc/${name}/${file}`, 'latin1').catch(() => '')),
      );
      if (seen.some((text) => text.includes(rig.s3.secretKey))) holders.push(Number(name));
    }
    expect(holders).toEqual([pid]);
    const { stdout } = await promisify(execFile)('grep', [
      '-rlF',
      rig.s3.secretKey,
      join(nodeDirectory, 'run'),
    ]).catch(() => ({ stdout: '' }));
    expect(stdout).toBe('');
    await unmount(plan, layer);
  });

  it('stays busy while a file is open, loses nothing, and goes afterwards', async () => {
    const plan = await planFor();
    const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
    const writer = spawn('sh', [
      '-c',
      'exec 3>"$1"; echo open; read -r go; echo late >&3',
      'sh',
      join(plan.mountPath, 'slow'),
    ]);
    await once(writer.stdout, 'data');
    expect(await unmount(plan, layer)).toEqual({ kind: 'busy' });
    expect(await provider.daemonPid(plan.targetId)).not.toBeNull();
    const ended = once(writer, 'exit');
    writer.stdin.end('go\n');
    await ended;
    expect(await unmount(plan, layer)).toMatchObject({ kind: 'gone', flushVerified: true });
    expect((await rig.s3.getObject(BUCKET, 'slow')).toString()).toBe('late\n');
  });

  it('asks for no more at the mount and at a look into it when the bucket holds many objects', async () => {
    const front = await ObjectStoreFront.start(rig.s3.endpoint);
    try {
      const bucket = 'crowded';
      await rig.s3.createBucket(bucket);
      const requestsOfMount = async (): Promise<number> => {
        const plan = await planFor({ bucket, endpoint_url: front.url });
        const before = front.requests.length;
        const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
        const look = await node.get<MountProbe>(MOUNT_PROBE).probe(plan.targetId, plan.mountPath, MOUNT_MS);
        expect(look).toEqual({ kind: 'answers' });
        await unmount(plan, layer);
        return front.requests.length - before;
      };
      const empty = await requestsOfMount();
      for (let n = 0; n < OBJECTS; n += 1) await rig.s3.putObject(bucket, `object ${n}`, 'x');
      expect(await requestsOfMount()).toBe(empty);
    } finally {
      await front.stop();
    }
  }, 60_000);

  it.each(['the end of an upload', 'a copy'])(
    'takes an endpoint that answers %s late for slow, not for dead',
    async (what) => {
      const front = await ObjectStoreFront.start(rig.s3.endpoint);
      try {
        const plan = await planFor({ endpoint_url: front.url });
        const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
        const isLate = what === 'a copy' ? / \S+renamed$/ : / \S+uploaded$/;
        front.delayMs = (request) => (request.startsWith('PUT') && isLate.test(request) ? LATE_MS : 0);
        const path = join(plan.mountPath, 'uploaded');
        await writeFile(path, 'words', { flush: true });
        await rename(path, join(plan.mountPath, 'renamed'));
        expect(await unmount(plan, layer)).toMatchObject({ kind: 'gone', flushVerified: true, detail: null });
        expect((await rig.s3.getObject(BUCKET, 'renamed')).toString()).toBe('words');
      } finally {
        await front.stop();
      }
    },
    120_000,
  );

  it('mounts read-only where it is asked to', async () => {
    const plan = await planFor({}, true);
    const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
    expect(layer.options).toContain('ro');
    await expect(writeFile(join(plan.mountPath, 'no'), '')).rejects.toThrow('EROFS');
    await unmount(plan, layer);
  });

  it.each([
    ['a wrong key', { aws_secret_access_key: 'wrong-but-secret' }, /invalid credentials|Forbidden|Access/i],
    ['a missing bucket', { bucket: 'no-such-bucket' }, /bucket or key not found|not found/i],
  ])('says with %s what the daemon said, and leaves nothing', async (_name, secret, words) => {
    const plan = await planFor(secret);
    const error: unknown = await provider
      .mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS))
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DmsError);
    expect(error).toMatchObject({ code: 'MOUNT_FAILED', message: expect.stringMatching(words) as string });
    expect(String(error)).not.toContain('wrong-but-secret');
    await expectNothingLeft(plan, null);
  });

  it('gives up on an endpoint that never answers, and leaves nothing', async () => {
    await startNode({ DMS_PROBE_TIMEOUT: '2' });
    const silent: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const plan = await planFor({ endpoint_url: `http://127.0.0.1:${port}` });
    const began = Date.now();
    await expect(provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS))).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
    });
    expect(Date.now() - began).toBeLessThan(20_000);
    silent.close();
    await expectNothingLeft(plan, null);
  }, 40_000);

  it('takes out the layer of a daemon that was killed, and does not call that clean', async () => {
    const plan = await planFor();
    const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
    const pid = (await provider.daemonPid(plan.targetId)) ?? 0;
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => (await provider.daemonPid(plan.targetId)) === null, {
      timeoutMs: 5_000,
      what: 'its end',
    });
    expect(await layers(plan)).toHaveLength(1);
    expect(await unmount(plan, layer)).toMatchObject({ kind: 'gone', flushVerified: false });
    await expectNothingLeft(plan, pid);
  });

  it('starts the configured program, and makes its mount read-only where that does not', async () => {
    const program = join(nodeDirectory, 's3vaultfuse.py');
    // Like s3vaultfuse.py it takes no arguments, and nothing of ours.
    await writeFile(
      program,
      '#!/bin/sh\nexec s3fs "$vault_s3_bucket" "$vault_data_directory" -f -o "url=$vault_s3_endpoint_url" -o use_path_request_style -o fsname=TrilioVault,allow_other\n',
    );
    await chmod(program, 0o755);
    await startNode({ DMS_S3VAULTFUSE_BIN: program });
    const plan = await planFor({}, true);
    const layer = await provider.mount(plan, () => Promise.resolve(), deadlineIn(MOUNT_MS));
    expect(layer).toMatchObject({ fstype: 'fuse', source: 'TrilioVault' });
    expect(layer.options).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev']));
    await unmount(plan, layer);
    await rm(program);
  });

  it('is refused a secret that the token may not read, and one of another key manager', async () => {
    const plan = await planFor();
    const foreign = await rig.cloud.token('stranger');
    const request = {
      ...plan.request,
      keystone_token: parseTargetRequest({ ...plain(plan), keystone_token: foreign }, 'mount').keystone_token,
    };
    await expect(
      provider.mount({ ...plan, request }, () => Promise.resolve(), deadlineIn(MOUNT_MS)),
    ).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('does not let the owner of the token') as string,
    });
    const source = plan.source.replace('127.0.0.1', 'localhost');
    await expect(
      provider.mount({ ...plan, source }, () => Promise.resolve(), deadlineIn(MOUNT_MS)),
    ).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining('backup_target.secret_ref') as string,
    });
  });

  function plain(plan: MountPlan): Record<string, unknown> {
    return { job: { jobid: 1 }, host: 'node', backup_target: { ...plan.request.backup_target } };
  }
});
