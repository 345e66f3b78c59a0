import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DmsClient,
  MountFailedError,
  MountLostError,
  NotMountedError,
  type TargetRequest,
  verifyMount,
} from '@dynamic-mount-service/client';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { freePort, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

describeOnRig('mounts of the client package', (rig) => {
  let fleet: Fleet;
  let client: DmsClient;
  let token: string;
  let jobid = 0;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { clientSettings: { DMS_SETTLE_INTERVAL: '0.5' } });
    await fleet.acquainted();
    token = await fleet.targets.cloud.token('owner');
    client = new DmsClient({ url: fleet.clients[0].url, keystoneToken: () => token });
  });
  afterAll(async () => {
    client?.close();
    await fleet?.stop();
  });

  const requestFor = ({ id, secretRef }: S3Target, more: Partial<TargetRequest> = {}): TargetRequest => ({
    job: { jobid: (jobid += 1), progress: 0 },
    host: fleet.node.host,
    backup_target: { id, type: 's3', secret_ref: secretRef },
    ...more,
  });
  const held = async (target: S3Target): Promise<number> =>
    (await client.getActiveMounts({ host: fleet.node.host, backup_target_id: target.id })).length;

  it('end with their callback, however it ends, and share what stands', async () => {
    const target = await fleet.targets.s3('package-share');
    const error = new Error('mine');
    const inner = client.withMount(requestFor(target), async ({ mountPath }) => {
      await writeFile(join(mountPath, 'a'), 'written');
      await expect(client.withMount(requestFor(target), () => Promise.reject(error))).rejects.toBe(error);
      expect(mountsBelow(mountPath)).toHaveLength(1);
      expect(await held(target)).toBe(1);
      return readFileSync(join(mountPath, 'a'), 'utf8');
    });
    expect(await inner).toBe('written');
    expect([mountsBelow(fleet.node.base), await held(target)]).toEqual([[], 0]);
    expect((await fleet.targets.store.getObject(target.bucket, 'a')).toString()).toBe('written');
  });

  it('of one job end for themselves', async () => {
    const target = await fleet.targets.s3('package-holds');
    const request = requestFor(target);
    const first = await client.acquire(request);
    await client.withMount(request, () => undefined);
    await first.verify();
    expect(mountsBelow(first.mountPath)).toHaveLength(1);
    expect(await first.release()).toMatchObject({ unmounted: true, physically_mounted: false });
  });

  it('abort when the FUSE daemon dies, while the job still runs', async () => {
    const target = await fleet.targets.s3('package-lost');
    const aborted = client.withMount(requestFor(target), async ({ signal }) => {
      const pid = Number(readFileSync(join(fleet.node.pidDirectory, `${target.id}.pid`), 'utf8'));
      process.kill(pid, 'SIGKILL');
      await waitFor(() => signal.aborted, { timeoutMs: 3 * 2_000, what: 'the signal to be aborted' });
      expect(signal.reason).toBeInstanceOf(MountLostError);
    });
    await expect(aborted).rejects.toBeInstanceOf(MountLostError);
    expect(await held(target)).toBe(0);
    await waitFor(() => mountsBelow(fleet.node.base).length === 0, {
      timeoutMs: 30_000,
      what: 'the broken layer to be taken out',
    });
  });

  it('are told as lost, with reason, operation and cause, where the FUSE daemon dies while the job writes', async () => {
    const target = await fleet.targets.s3('package-writing');
    const writing = client.withMount(requestFor(target), async ({ mountPath }) => {
      const pid = Number(readFileSync(join(fleet.node.pidDirectory, `${target.id}.pid`), 'utf8'));
      process.kill(pid, 'SIGKILL');
      for (;;) await writeFile(join(mountPath, 'file'), 'what is lost');
    });
    const error: unknown = await writing.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MountLostError);
    const lost = error as MountLostError;
    expect(lost.cause).toMatchObject({
      code: expect.stringMatching(/^(ENOTCONN|ECONNABORTED|EIO)$/) as unknown,
    });
    expect(lost.message).toMatch(/lost|broken/);
    expect(await client.operation(String(lost.operationId))).toMatchObject({ action: 'unmount' });
  });

  it('abort when somebody else ends the hold', async () => {
    const target = await fleet.targets.s3('package-released');
    const request = requestFor(target);
    const aborted = client.withMount(request, async ({ signal }) => {
      await client.releaseJob(request.job.jobid);
      await waitFor(() => signal.aborted, { timeoutMs: 10_000, what: 'the signal to be aborted' });
    });
    await expect(aborted).rejects.toThrow(/^The job holds the target no more/);
  });

  it('renew their leases', async () => {
    const target = await fleet.targets.s3('package-lease');
    const request = requestFor(target, { lease_s: 10 });
    await client.withMount(request, async ({ signal }) => {
      const name = { jobid: request.job.jobid, backup_target_id: target.id, host: fleet.node.host };
      const ends = async (): Promise<string> => String((await client.getMountStatus(name))?.lease_expires_at);
      const first = await ends();
      await waitFor(async () => (await ends()) > first, { timeoutMs: 20_000, what: 'a renewal' });
      expect(signal.aborted).toBe(false);
    });
  });

  it('are given back where this process does not see them', async () => {
    const target = await fleet.targets.s3('package-elsewhere');
    const path = join(fleet.directory, 'a-container');
    await expect(client.acquire(requestFor(target), { path })).rejects.toBeInstanceOf(NotMountedError);
    expect([mountsBelow(fleet.node.base), await held(target)]).toEqual([[], 0]);
    const answer = await client.mount(requestFor(target));
    await expect(verifyMount(answer)).resolves.toBeUndefined();
    await expect(verifyMount({ ...answer, device: '0:999999' })).rejects.toThrow(
      /not device 0:999999 but device/,
    );
    await client.releaseJob(jobid);
    await expect(verifyMount(answer)).rejects.toBeInstanceOf(NotMountedError);
  });

  it('that fail say why, and leave nothing', async () => {
    const target = await fleet.targets.s3('package-bad');
    const secretRef = await fleet.targets.secret('there-is-no-such-bucket');
    const error: unknown = await client
      .mount(requestFor({ ...target, secretRef }))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MountFailedError);
    expect(error).toMatchObject({ httpStatus: 502, message: expect.stringMatching(/bucket/i) as string });
    const operation = await client.operation(String((error as MountFailedError).operationId));
    expect(operation).toMatchObject({ action: 'mount', status: 'error', error_code: 'MOUNT_FAILED' });
    expect(readdirSync(fleet.node.pidDirectory)).toEqual([]);
  });

  it('come about although the service is away when they are asked for', async () => {
    const target = await fleet.targets.s3('package-away');
    const port = await freePort();
    const late = new DmsClient({ url: `http://127.0.0.1:${port}`, keystoneToken: token, retries: 8 });
    const mounting = late.mount(requestFor(target));
    // What comes up late stands before the service: its own port is known to nobody before it starts.
    const relay = spawn(process.execPath, ['-e', RELAY, String(port), fleet.clients[0].url], {
      stdio: 'ignore',
    });
    try {
      expect(await mounting).toMatchObject({ status: 'success' });
      expect(await late.isReady()).toBe(true);
      await late.releaseJob(jobid);
    } finally {
      late.close();
      relay.kill('SIGKILL');
    }
  });
});

/** Listens on the first port, and passes all bytes on to the second address. */
const RELAY = `
  const net = require('node:net');
  const to = new URL(process.argv[2]);
  net.createServer((from) => {
    const on = net.connect(Number(to.port), to.hostname);
    from.pipe(on).pipe(from);
    for (const end of [from, on]) end.on('error', () => { from.destroy(); on.destroy(); });
  }).listen(Number(process.argv[1]), '127.0.0.1');
`;
