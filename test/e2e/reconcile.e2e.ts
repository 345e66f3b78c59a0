import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

interface Report {
  readonly differences: {
    kind: string;
    outcome: string;
    backup_target_id: string | null;
    state_after: string | null;
  }[];
}

describeOnRig('reconciling', (rig) => {
  let fleet: Fleet;
  let job = 0;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, {
      clientSettings: { DMS_RECONCILE_INTERVAL: '0', DMS_SETTLE_INTERVAL: '0.5' },
    });
    await fleet.acquainted();
  });
  afterAll(() => fleet?.stop());

  const mounted = async (): Promise<{ target: S3Target; path: string; jobid: number }> => {
    const target = await fleet.targets.s3('reconcile');
    job += 1;
    const { body } = await fleet.api.post(
      '/api/v1/mount',
      await fleet.targets.request(fleet.node.host, job, target),
    );
    return { target, path: String(body.mount_path), jobid: job };
  };
  const reconcile = async (changes = {}): Promise<Report['differences']> =>
    (await fleet.api.post<Report>('/api/v1/admin/reconcile', { host: fleet.node.host, ...changes })).body
      .differences;
  const binding = async ({ target, jobid }: { target: S3Target; jobid: number }) =>
    (await fleet.api.get(`/api/v1/bindings/${jobid}/${target.id}`)).body;
  const lost = (held: { target: S3Target; jobid: number }) =>
    waitFor(async () => (await binding(held)).state === 'lost', {
      timeoutMs: 30_000,
      what: 'the binding to be lost',
    });

  it('finds nothing where ledger and kernel agree', async () => {
    const { target, jobid } = await mounted();
    expect((await reconcile()).filter(({ backup_target_id }) => backup_target_id === target.id)).toEqual([]);
    await fleet.api.delete(`/api/v1/jobs/${jobid}/bindings`);
  });

  it('makes the binding lost whose mount somebody else took away, and mounts anew when asked', async () => {
    const held = await mounted();
    execFileSync('umount', [held.path]);
    await lost(held);
    expect(mountsBelow(held.path)).toEqual([]);
    const again = await fleet.api.post(
      '/api/v1/mount',
      await fleet.targets.request(fleet.node.host, held.jobid, held.target),
    );
    expect(again.body).toMatchObject({ status: 'success', reused_existing: false });
    expect((await binding(held)).state).toBe('held');
    await fleet.api.delete(`/api/v1/jobs/${held.jobid}/bindings`);
  });

  it('makes the binding lost whose FUSE process died, and takes the broken layer out', async () => {
    const held = await mounted();
    process.kill(
      Number(readFileSync(join(fleet.node.pidDirectory, `${held.target.id}.pid`), 'utf8')),
      'SIGKILL',
    );
    await waitFor(async () => (await reconcile()).length >= 0 && (await binding(held)).state === 'lost', {
      timeoutMs: 30_000,
      what: 'the binding to be lost',
    });
    await waitFor(() => mountsBelow(held.path).length === 0, {
      timeoutMs: 30_000,
      what: 'the broken layer to go',
    });
  });

  it('notices a node that has lost its memory, and keeps the mounts that it still has', async () => {
    const held = await mounted();
    const [{ incarnation: before }] = await fleet.query<{ incarnation: string }>(
      'SELECT incarnation FROM nodes WHERE host = ?',
      [fleet.node.host],
    );
    await fleet.node.stop();
    await rm(join(fleet.node.runDirectory, 'node.json'), { force: true });
    await rm(join(fleet.node.runDirectory, 'targets'), { recursive: true, force: true });
    await fleet.node.start();
    await waitFor(
      async () =>
        (
          await fleet.query<{ same: number }>(
            `SELECT t.incarnation = n.incarnation AS same FROM target_mounts t JOIN nodes n USING (host)
           WHERE t.backup_target_id = ? AND t.state = 'MOUNTED' AND n.incarnation <> ?`,
            [held.target.id, before],
          )
        )[0]?.same === 1,
      { timeoutMs: 30_000, what: 'the ledger to follow the new memory' },
    );
    expect((await binding(held)).state).toBe('held');
    expect(mountsBelow(held.path)).toHaveLength(1);
    const released = await fleet.api.post(
      '/api/v1/unmount',
      await fleet.targets.request(fleet.node.host, held.jobid, held.target),
    );
    expect(released.body).toEqual(expect.objectContaining({ unmounted: true, error_code: null }));
  });

  it("reports a stranger's mount below the base and does not touch it", async () => {
    const path = join(fleet.node.base, 'stranger');
    execFileSync('mkdir', [path]);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path]);
    try {
      const foreign = (await reconcile()).filter(({ kind }) => kind === 'foreign');
      expect(foreign).toEqual([expect.objectContaining({ outcome: 'reported', backup_target_id: null })]);
      expect(mountsBelow(path)).toHaveLength(1);
    } finally {
      execFileSync('umount', [path]);
      execFileSync('rmdir', [path]);
    }
  });

  it('follows a ledger that was restored from a backup', async () => {
    const held = await mounted();
    const key = [fleet.node.host, held.target.id];
    await fleet.query(
      `UPDATE target_mounts SET epoch = 0, state = 'ABSENT' WHERE host = ? AND backup_target_id = ?`,
      key,
    );
    await fleet.query(
      `UPDATE backup_target_mount_ledger SET mounted = FALSE, state = 'released' WHERE host = ? AND backup_target_id = ?`,
      key,
    );
    const again = await fleet.api.post(
      '/api/v1/mount',
      await fleet.targets.request(fleet.node.host, held.jobid, held.target),
    );
    expect(again.body).toMatchObject({ status: 'success', mount_path: held.path });
    expect(mountsBelow(held.path)).toHaveLength(1);
    expect(
      (
        await fleet.api.post(
          '/api/v1/unmount',
          await fleet.targets.request(fleet.node.host, held.jobid, held.target),
        )
      ).body,
    ).toMatchObject({ unmounted: true });
  });

  it('leaves a mount alone that a restored ledger does not know, until a person reconciles', async () => {
    const held = await mounted();
    const key = [fleet.node.host, held.target.id];
    await fleet.query(`DELETE FROM backup_target_mount_ledger WHERE host = ? AND backup_target_id = ?`, key);
    await fleet.query(`DELETE FROM target_mounts WHERE host = ? AND backup_target_id = ?`, key);
    // Another mount makes the service compare the node.
    const other = await mounted();
    await sleep(5_000);
    expect(mountsBelow(held.path)).toHaveLength(1);
    const found = async (changes = {}) =>
      (await reconcile(changes)).filter(({ backup_target_id }) => backup_target_id === held.target.id);
    expect(await found({ dry_run: true })).toMatchObject([{ kind: 'ahead_of_ledger', outcome: 'reported' }]);
    expect(mountsBelow(held.path)).toHaveLength(1);
    expect(await found()).toMatchObject([{ kind: 'ahead_of_ledger', outcome: 'repaired' }]);
    expect(mountsBelow(held.path)).toEqual([]);
    await fleet.api.delete(`/api/v1/jobs/${other.jobid}/bindings`);
  }, 60_000);

  it('makes the binding lost where another mount stands in the place of the one that was given', async () => {
    const held = await mounted();
    await fleet.query(`UPDATE target_mounts SET mnt_id = 1 WHERE backup_target_id = ?`, [held.target.id]);
    await reconcile();
    await lost(held);
  });
});
