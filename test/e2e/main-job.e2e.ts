import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../rig';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { describeOnRig } from './on-rig';

interface Row {
  readonly state: string;
  readonly mounted: number;
}

describeOnRig('the main job', (rig) => {
  let fleet: Fleet;
  let target: S3Target;

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    target = await fleet.targets.s3('main-job');
  });
  afterAll(() => fleet?.stop());

  const mount = async (jobid: number, of: Pick<S3Target, 'id' | 'secretRef'> = target, changes = {}) =>
    fleet.api.post('/api/v1/mount', await fleet.targets.request(fleet.node.host, jobid, of, changes));
  const unmount = async (jobid: number, of: Pick<S3Target, 'id' | 'secretRef'> = target) =>
    fleet.api.post('/api/v1/unmount', await fleet.targets.request(fleet.node.host, jobid, of));
  const bindings = (): Promise<Row[]> =>
    fleet.query(
      'SELECT state, mounted FROM backup_target_mount_ledger WHERE backup_target_id = ? ORDER BY jobid',
      [target.id],
    );

  it('mounts the target for the first job', async () => {
    const path = join(fleet.node.base, target.id);
    const { status, body } = await mount(1);
    expect({ status, ...body }).toMatchObject({
      status: 'success',
      error_msg: null,
      success_msg: `S3 target mounted successfully at ${path}`,
      mount_path: path,
      physically_mounted: true,
      reused_existing: false,
      epoch: 1,
    });
    expect(mountsBelow(path)).toHaveLength(1);
    await writeFile(join(path, 'backup.txt'), 'written through the mount');
    expect((await fleet.targets.store.getObject(target.bucket, 'backup.txt')).toString()).toBe(
      'written through the mount',
    );
    expect(await bindings()).toEqual([{ state: 'held', mounted: 1 }]);
  });

  it('lets a second job share the mount, and the first one ask twice', async () => {
    const second = await mount(2);
    expect(second.body).toMatchObject({ status: 'success', reused_existing: true, epoch: 1 });
    expect((await mount(1)).body).toMatchObject({ status: 'success', reused_existing: true, epoch: 1 });
    expect(mountsBelow(join(fleet.node.base, target.id))).toHaveLength(1);
    expect(await bindings()).toEqual([
      { state: 'held', mounted: 1 },
      { state: 'held', mounted: 1 },
    ]);
  });

  it('keeps the mount when one of two jobs unmounts', async () => {
    const { body } = await unmount(1);
    expect(body).toMatchObject({
      status: 'success',
      unmounted: false,
      physically_mounted: true,
      active_mounts_remaining: 1,
    });
    expect(await readFile(join(fleet.node.base, target.id, 'backup.txt'), 'utf8')).toBe(
      'written through the mount',
    );
  });

  it('takes the mount away with the last job, and leaves nothing', async () => {
    const { body } = await unmount(2);
    expect(body).toMatchObject({
      status: 'success',
      unmounted: true,
      physically_mounted: false,
      active_mounts_remaining: 0,
      error_code: null,
    });
    expect(mountsBelow(fleet.node.base)).toEqual([]);
    expect(readdirSync(fleet.node.pidDirectory)).toEqual([]);
    await waitFor(() => !existsSync(join(fleet.node.base, target.id)), {
      timeoutMs: 10_000,
      what: 'the mountpoint to be removed',
    });
    expect(await bindings()).toEqual([
      { state: 'released', mounted: 0 },
      { state: 'released', mounted: 0 },
    ]);
  });

  it('answers an unmount of what is not held with success', async () => {
    expect((await unmount(77)).body).toMatchObject({
      status: 'success',
      unmounted: false,
      physically_mounted: false,
    });
  });

  it('keeps an operation with one terminal state for each request', async () => {
    const rows = await fleet.query<{ status: string; n: number }>(
      'SELECT status, COUNT(*) AS n FROM mount_operations WHERE backup_target_id = ? GROUP BY status',
      [target.id],
    );
    expect(rows).toEqual([{ status: 'success', n: 6 }]);
  });

  it.each([
    ['an unknown bucket', { bucket: 'there-is-no-such-bucket' }, /bucket/i],
    ['a wrong key', { aws_secret_access_key: 'wrong' }, /credentials|signature|403/i],
  ])('fails a mount with %s in the words of the daemon, and leaves nothing', async (_, changes, words) => {
    const secretRef = await fleet.targets.secret(target.bucket, changes);
    const { status, body } = await mount(3, { id: `${target.id}-bad`, secretRef });
    expect({ status, code: body.error_code }).toEqual({ status: 502, code: 'MOUNT_FAILED' });
    expect(body.error_msg).toMatch(words);
    expect(mountsBelow(fleet.node.base)).toEqual([]);
    expect(readdirSync(fleet.node.pidDirectory)).toEqual([]);
    expect((await mount(3, { id: `${target.id}-bad`, secretRef: target.secretRef })).body.status).toBe(
      'success',
    );
    expect((await unmount(3, { id: `${target.id}-bad`, secretRef: target.secretRef })).body).toMatchObject({
      unmounted: true,
    });
  });

  it('names the secret that does not exist', async () => {
    const secretRef = target.secretRef.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000');
    const { status, body } = await mount(4, { id: 'no-secret', secretRef });
    expect({ status, code: body.error_code }).toEqual({ status: 502, code: 'SECRET_UNAVAILABLE' });
  });

  it('answers at once that no server listens for a host', async () => {
    const began = performance.now();
    const request = await fleet.targets.request('no-such-host', 5, target);
    const { status, body, headers } = await fleet.api.post('/api/v1/mount', request);
    expect({ status, code: body.error_code }).toEqual({ status: 503, code: 'NODE_UNREACHABLE' });
    expect(body.error_msg).toContain('none was ever heard of there: "dms nodes" shows');
    expect(headers.get('retry-after')).not.toBeNull();
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
