import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

describeOnRig('sharing a mount', (rig) => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { clients: 2, clientSettings: { DMS_SETTLE_INTERVAL: '0.5' } });
  });
  afterAll(() => fleet?.stop());

  const send = async (
    action: 'mount' | 'unmount',
    jobid: number,
    target: S3Target,
    changes = {},
    client = 0,
  ) => {
    const request = { ...(await fleet.targets.request(fleet.node.host, jobid, target)), ...changes };
    return fleet.clients[client].api.post(`/api/v1/${action}`, request);
  };

  it.each([
    ['another path', (f: Fleet) => ({ filesystem_export_mount_path: join(f.node.base, 'elsewhere') })],
    ['another secret', async (f: Fleet, t: S3Target) => ({ secret_ref: await f.targets.secret(t.bucket) })],
  ])('is a CONFLICT with %s', async (_, changes) => {
    const target = await fleet.targets.s3('conflict');
    await send('mount', 1, target);
    const request = await fleet.targets.request(fleet.node.host, 2, target, await changes(fleet, target));
    const { status, body } = await fleet.api.post('/api/v1/mount', request);
    expect({ status, code: body.error_code }).toEqual({ status: 409, code: 'CONFLICT' });
    expect((await send('unmount', 1, target)).body).toMatchObject({ unmounted: true });
  });

  it('is a CONFLICT with read-only where it is mounted for writing', async () => {
    const target = await fleet.targets.s3('mode');
    await send('mount', 1, target);
    expect((await send('mount', 2, target, { read_only: true })).body.error_code).toBe('CONFLICT');
    await send('unmount', 1, target);
    const readOnly = await send('mount', 2, target, { read_only: true });
    const file = open(join(String(readOnly.body.mount_path), 'x'), 'w');
    await expect(file).rejects.toMatchObject({ code: 'EROFS' });
    await send('unmount', 2, target);
  });

  it('is a CONFLICT where another target has the path', async () => {
    const [one, other] = [await fleet.targets.s3('one'), await fleet.targets.s3('other')];
    const mounted = await send('mount', 1, one);
    const changes = { filesystem_export_mount_path: mounted.body.mount_path };
    const request = await fleet.targets.request(fleet.node.host, 2, other, changes);
    expect((await fleet.api.post('/api/v1/mount', request)).body.error_code).toBe('CONFLICT');
    await send('unmount', 1, one);
  });

  it('releases a job at once while its mount is busy, says who keeps it, and goes on until it is gone', async () => {
    const target = await fleet.targets.s3('busy');
    const path = String((await send('mount', 1, target)).body.mount_path);
    const file = await open(join(path, 'still-open'), 'w');
    const { status, body } = await send('unmount', 1, target);
    expect({ status, ...body }).toMatchObject({
      unmounted: false,
      physically_mounted: true,
      active_mounts_remaining: 0,
      error_code: 'BUSY',
    });
    expect(body.success_msg).toContain(String(process.pid));
    expect(
      await fleet.query('SELECT mounted FROM backup_target_mount_ledger WHERE backup_target_id = ?', [
        target.id,
      ]),
    ).toEqual([{ mounted: 0 }]);
    await file.close();
    await waitFor(() => mountsBelow(path).length === 0, { timeoutMs: 30_000, what: 'the busy mount to go' });
    await waitFor(async () => (await send('unmount', 1, target)).body.physically_mounted === false, {
      timeoutMs: 10_000,
      what: 'the ledger to know',
    });
  });

  it('gives a job that comes while the mount is busy the mount that stands', async () => {
    const target = await fleet.targets.s3('rejoin');
    const path = String((await send('mount', 1, target)).body.mount_path);
    const file = await open(join(path, 'still-open'), 'w');
    const [released, joined] = await Promise.all([send('unmount', 1, target), send('mount', 2, target)]);
    expect(released.body.status).toBe('success');
    expect(joined.body).toMatchObject({ status: 'success', mount_path: path });
    await file.close();
    expect(mountsBelow(path)).toHaveLength(1);
    expect((await send('unmount', 2, target)).body).toMatchObject({ unmounted: true });
  });

  it('has one mount for many first requests at once, from two clients', async () => {
    const target = await fleet.targets.s3('crowd');
    const jobs = Array.from({ length: 20 }, (_, index) => index + 1);
    const answers = await Promise.all(jobs.map((job) => send('mount', job, target, {}, job % 2)));
    expect(answers.map(({ body }) => body.status)).toEqual(jobs.map(() => 'success'));
    const path = String(answers[0].body.mount_path);
    expect(mountsBelow(path)).toHaveLength(1);
    const ends = await Promise.all(jobs.map((job) => send('unmount', job, target, {}, job % 2)));
    expect(ends.filter(({ body }) => body.unmounted === true).length).toBeGreaterThanOrEqual(1);
    expect(mountsBelow(path)).toEqual([]);
  });

  it('loses no mount when one job unmounts while another mounts, over and over', async () => {
    const target = await fleet.targets.s3('race');
    const path = join(fleet.node.base, target.id);
    await send('mount', 1, target);
    for (let round = 1; round <= 20; round += 1) {
      const [, mounted] = await Promise.all([
        send('unmount', round, target, {}, round % 2),
        send('mount', round + 1, target, {}, (round + 1) % 2),
      ]);
      expect(mounted.body).toMatchObject({ status: 'success' });
      expect(mountsBelow(path)).toHaveLength(1);
    }
    expect((await send('unmount', 21, target)).body).toMatchObject({ unmounted: true });
  });

  it('does not call an unmount clean whose daemon was killed', async () => {
    const target = await fleet.targets.s3('dirty');
    await send('mount', 1, target);
    process.kill(Number(readFileSync(join(fleet.node.pidDirectory, `${target.id}.pid`), 'utf8')), 'SIGKILL');
    const { status, body } = await send('unmount', 1, target);
    // The node may have noticed before the job asked, and have taken the dead mount away by itself.
    expect({ status, ...body }).toMatchObject({ physically_mounted: false, error_code: 'UNMOUNTED_DIRTY' });
  });

  it('tells a job how its own mount ended, whatever others did with the target since', async () => {
    const target = await fleet.targets.s3('bad-end');
    const codeOf = async (job: number): Promise<unknown> =>
      (await send('unmount', job, target)).body.error_code;
    await send('mount', 3, target);
    expect(await codeOf(3)).toBeNull();
    await send('mount', 1, target);
    process.kill(Number(readFileSync(join(fleet.node.pidDirectory, `${target.id}.pid`), 'utf8')), 'SIGKILL');
    expect(await codeOf(1)).toBe('UNMOUNTED_DIRTY');
    expect(await codeOf(3)).toBeNull();
    await send('mount', 2, target);
    expect(await codeOf(1)).toBe('UNMOUNTED_DIRTY');
    expect(await codeOf(2)).toBeNull();
    expect([await codeOf(1), await codeOf(2), await codeOf(3)]).toEqual(['UNMOUNTED_DIRTY', null, null]);
  });

  it('counts several holds of one job', async () => {
    const target = await fleet.targets.s3('holds');
    await send('mount', 1, target, { hold_id: 'first' });
    await send('mount', 1, target, { hold_id: 'second' });
    expect((await send('unmount', 1, target, { hold_id: 'first' })).body).toMatchObject({
      unmounted: false,
      physically_mounted: true,
      success_msg: expect.stringMatching(/^Released the hold "first"; the job has other holds /) as string,
    });
    expect((await send('unmount', 1, target, { hold_id: 'first' })).body.success_msg).toMatch(
      /^The job had no hold "first"; 1 job\(s\) still use /,
    );
    expect((await send('unmount', 1, target, { hold_id: 'second' })).body).toMatchObject({ unmounted: true });
  });
});
