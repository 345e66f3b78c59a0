import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { PROGRAMS } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** The shortest that there is. */
const LEASE_S = 10;
const GRACE_S = 2;
/** A lease's end, its grace, and the look for it, three times. */
const EXPIRED_MS = 3 * (LEASE_S + GRACE_S + 2) * 1_000;

interface Held {
  readonly target: S3Target;
  readonly jobid: number;
  readonly path: string;
}

describeOnRig('leases of bindings', (rig) => {
  let fleet: Fleet;
  let job = 0;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, {
      nodeSettings: { DMS_BUSY_TIMEOUT: '0.2' },
      clientSettings: { DMS_LEASE_GRACE: String(GRACE_S), DMS_SETTLE_INTERVAL: '0.5' },
    });
  });
  afterAll(() => fleet?.stop());

  const mounted = async (lease_s?: number): Promise<Held> => {
    const target = await fleet.targets.s3('lease');
    job += 1;
    const request = await fleet.targets.request(fleet.node.host, job, target);
    const { body } = await fleet.api.post('/api/v1/mount', { ...request, lease_s });
    expect(body).toMatchObject({ status: 'success' });
    return { target, jobid: job, path: String(body.mount_path) };
  };
  const binding = async ({ target, jobid }: Held) =>
    (await fleet.api.get(`/api/v1/bindings/${jobid}/${target.id}`)).body;
  const renew = ({ target, jobid }: Held, body: object = {}) =>
    fleet.api.post(`/api/v1/bindings/${jobid}/${target.id}/renew?host=${fleet.node.host}`, body);
  const expired = (held: Held) =>
    waitFor(async () => (await binding(held)).state === 'released', {
      timeoutMs: EXPIRED_MS,
      what: 'the lease to expire',
    });
  const gone = ({ path }: Held) =>
    waitFor(() => mountsBelow(path).length === 0, { timeoutMs: 30_000, what: 'the mount to go' });
  const secondsLeft = async (held: Held): Promise<number> => {
    const [{ seconds }] = await fleet.query<{ seconds: number }>(
      `SELECT TIMESTAMPDIFF(MICROSECOND, NOW(6), lease_expires_at) / 1e6 AS seconds
       FROM backup_target_mount_ledger WHERE jobid = ? AND backup_target_id = ?`,
      [held.jobid, held.target.id],
    );
    return Number(seconds);
  };

  it('that nobody renews end, the mount goes, and an operation says why', async () => {
    const held = await mounted(LEASE_S);
    const file = await open(join(held.path, 'file'), 'w');
    await file.close();
    const living = await mounted(LEASE_S);
    const used: FileHandle = await open(join(living.path, 'in use'), 'w');
    try {
      // The shortest lease, in which it cannot have expired: what is held longer stands.
      expect(await secondsLeft(held)).toBeGreaterThan(LEASE_S - 5);
      await expired(held);
      await gone(held);
      const { body } = await fleet.api.get<{ operations: Record<string, unknown>[] }>(
        `/api/v1/operations?backup_target_id=${held.target.id}&action=unmount`,
      );
      expect(body.operations).toEqual([
        expect.objectContaining({
          status: 'success',
          jobid: held.jobid,
          success_msg: expect.stringContaining('the lease expired') as string,
        }),
      ]);
      const refused = await renew(held, { lease_s: LEASE_S });
      expect({ status: refused.status, code: refused.body.error_code }).toEqual({
        status: 404,
        code: 'NOT_FOUND',
      });

      // Whoever uses the mount keeps it; who comes back gets the same one.
      await expired(living);
      expect(mountsBelow(living.path)).toHaveLength(1);
      const request = await fleet.targets.request(fleet.node.host, living.jobid, living.target);
      expect((await fleet.api.post('/api/v1/mount', request)).body).toMatchObject({ reused_existing: true });
      expect(await binding(living)).toMatchObject({ state: 'held', lease_expires_at: null });
    } finally {
      await used.close();
    }
    await fleet.api.delete(`/api/v1/jobs/${living.jobid}/bindings`);
    await gone(living);
  });

  it('are renewed, for as long as before or longer, never for shorter', async () => {
    const held = await mounted(100);
    expect(await secondsLeft(held)).toBeLessThanOrEqual(100);
    await renew(held, { lease_s: 1_000 });
    expect(await secondsLeft(held)).toBeGreaterThan(900);
    expect((await renew(held, { lease_s: 10 })).status).toBe(200);
    expect(await secondsLeft(held)).toBeGreaterThan(900);
    await fleet.query('UPDATE backup_target_mount_ledger SET lease_expires_at = NOW(6), lease_s = 500');
    const { status, body } = await renew(held);
    expect({ status, state: body.state }).toEqual({ status: 200, state: 'held' });
    expect(await secondsLeft(held)).toBeGreaterThan(400);
    expect((await renew(held, { lease_s: 1 })).status).toBe(400);
    await fleet.api.delete(`/api/v1/jobs/${held.jobid}/bindings`);
  });

  it('do not stand beside a hold that has none', async () => {
    const held = await mounted();
    const request = await fleet.targets.request(fleet.node.host, held.jobid, held.target);
    await fleet.api.post('/api/v1/mount', { ...request, lease_s: LEASE_S });
    expect(await binding(held)).toMatchObject({ state: 'held', lease_expires_at: null });
    const { status, body } = await renew(held, { lease_s: LEASE_S });
    expect({ status, lease: body.lease_expires_at }).toEqual({ status: 200, lease: null });
    await fleet.api.delete(`/api/v1/jobs/${held.jobid}/bindings`);
  });

  it('of a mount that was lost cannot be renewed', async () => {
    const held = await mounted(100);
    await fleet.query(
      `UPDATE backup_target_mount_ledger SET mounted = FALSE, state = 'lost' WHERE jobid = ?`,
      [held.jobid],
    );
    const { status, body } = await renew(held);
    expect({ status, code: body.error_code }).toEqual({ status: 409, code: 'CONFLICT' });
  });

  it('Leases do not end because the clock of the database jumped, or because no dms-client ran', async () => {
    const renewed = await mounted(LEASE_S);
    const left = await mounted(LEASE_S);
    const [client] = fleet.clients;
    await client.stop();
    // As after a jump of the clock: by it, all leases and their grace were over an hour ago.
    await fleet.query(
      `UPDATE backup_target_mount_ledger SET lease_expires_at = lease_expires_at - INTERVAL 1 HOUR
       WHERE lease_expires_at IS NOT NULL`,
    );
    await client.start();
    const renewing = setInterval(() => void renew(renewed), 1_000);
    try {
      await expired(left);
    } finally {
      clearInterval(renewing);
    }
    expect((await renew(renewed)).body).toMatchObject({ state: 'held' });
    expect(mountsBelow(renewed.path)).toHaveLength(1);
    await fleet.api.delete(`/api/v1/jobs/${renewed.jobid}/bindings`);
  });

  it('of "dms run" are renewed while the command runs, and end with a run that is killed', async () => {
    const target = await fleet.targets.s3('lease-run');
    const options = Object.entries({
      'job-id': '900',
      'target-id': target.id,
      'target-type': 's3',
      host: fleet.node.host,
      'secret-ref': target.secretRef,
      lease: String(LEASE_S),
    }).flatMap(([name, value]) => [`--${name}`, value]);
    const run = spawn(process.execPath, [PROGRAMS.cli, 'run', ...options, '--', 'sleep', '600'], {
      env: {
        ...process.env,
        DMS_API_URL: fleet.clients[0].url,
        KEYSTONE_TOKEN: await fleet.targets.cloud.token('owner'),
      },
      stdio: 'ignore',
      detached: true,
    });
    const held = { target, jobid: 900, path: join(fleet.node.base, target.id) };
    try {
      await waitFor(async () => (await binding(held)).state === 'held', {
        timeoutMs: 30_000,
        what: 'the run to hold its target',
      });
      const first = String((await binding(held)).lease_expires_at);
      await waitFor(async () => String((await binding(held)).lease_expires_at) > first, {
        timeoutMs: LEASE_S * 1_000,
        what: 'the run to renew its lease',
      });
    } finally {
      process.kill(-Number(run.pid), 'SIGKILL');
    }
    await expired(held);
    await gone(held);
  });
});
