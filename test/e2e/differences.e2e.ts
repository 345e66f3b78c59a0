import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { type MountResponseDto, type ReconcileResponseDto } from '@app/contracts';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { PROGRAMS } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { describeOnRig } from './on-rig';

interface Held {
  readonly target: S3Target;
  readonly path: string;
  readonly jobid: number;
}

describeOnRig('a difference between ledger and kernel', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let job = 0;

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    jobs = new Jobs(fleet);
    await fleet.acquainted();
    // From here on nobody looks by himself: each difference stands until `dms reconcile` is called.
    await fleet.clients[0].stop();
  });
  afterAll(() => fleet?.stop());

  const dms = async <T>(...args: string[]): Promise<T> => {
    const { environment } = fleet.clients[0];
    const env = { ...environment, KEYSTONE_TOKEN: await fleet.targets.cloud.token('owner') };
    const command = [PROGRAMS.cli, ...args, '--host', fleet.node.host, '--format', 'json'];
    const { stdout } = await promisify(execFile)(process.execPath, command, { env, timeout: 60_000 });
    return JSON.parse(stdout) as T;
  };
  const ask = <T>(action: string, { target, jobid }: Omit<Held, 'path'>): Promise<T> =>
    dms<T>(
      action,
      ...['--job-id', String(jobid), '--target-id', target.id, '--target-type', 's3'],
      ...['--secret-ref', target.secretRef],
    );
  const mounted = async (): Promise<Held> => {
    job += 1;
    const asked = { target: await fleet.targets.s3('difference'), jobid: job };
    const { mount_path } = await ask<MountResponseDto>('mount', asked);
    return { ...asked, path: mount_path };
  };
  /** What `dms reconcile` tells of a target. */
  const reconcile = async ({ target }: Held, ...options: string[]) => {
    const { differences } = await dms<ReconcileResponseDto>('reconcile', ...options);
    return differences
      .filter(({ backup_target_id }) => backup_target_id === target.id)
      .map(({ kind, outcome }) => ({ kind, outcome }));
  };
  const release = async (held: Held): Promise<void> => {
    await ask('unmount', held);
    expect(mountsBelow(held.path)).toEqual([]);
  };

  it('is told by a dry run, and left as it is', async () => {
    const held = await mounted();
    await fleet.query(`UPDATE target_mounts SET state = 'ABSENT' WHERE backup_target_id = ?`, [
      held.target.id,
    ]);
    expect(await reconcile(held, '--dry-run')).toEqual([{ kind: 'held_without_mount', outcome: 'reported' }]);
    expect(mountsBelow(held.path)).toHaveLength(1);
    expect(await jobs.target(held.target.id)).toMatchObject({ state: 'ABSENT' });
    await reconcile(held);
    await release(held);
  });

  it('a binding without a mount: the job has lost it', async () => {
    const held = await mounted();
    await release(held);
    await fleet.query(
      `UPDATE backup_target_mount_ledger SET mounted = TRUE, state = 'held' WHERE backup_target_id = ?`,
      [held.target.id],
    );
    expect(await reconcile(held)).toEqual([{ kind: 'held_without_mount', outcome: 'repaired' }]);
    expect(await jobs.binding(held.jobid, held.target.id)).toBe('lost');
    expect(await reconcile(held)).toEqual([]);
  });

  it('a mount without a binding: it is taken away', async () => {
    const held = await mounted();
    await fleet.query(
      `UPDATE backup_target_mount_ledger SET mounted = FALSE, state = 'released' WHERE backup_target_id = ?`,
      [held.target.id],
    );
    await fleet.query(`UPDATE target_mounts SET state = 'ABSENT' WHERE backup_target_id = ?`, [
      held.target.id,
    ]);
    expect(await reconcile(held)).toEqual([{ kind: 'not_in_ledger', outcome: 'repaired' }]);
    expect(mountsBelow(held.path)).toEqual([]);
  });

  it("a stranger's mount over ours: it is left alone, and the job has lost the target", async () => {
    const held = await mounted();
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', held.path]);
    try {
      expect(await reconcile(held)).toEqual([{ kind: 'stacked', outcome: 'repaired' }]);
      expect(await jobs.binding(held.jobid, held.target.id)).toBe('lost');
      await expect(ask('mount', { ...held, jobid: held.jobid + 1000 })).rejects.toThrow('CONFLICT');
      expect(mountsBelow(held.path).at(-1)).toContain(' tmpfs ');
    } finally {
      execFileSync('umount', [held.path]);
    }
    await reconcile(held);
    expect(mountsBelow(held.path)).toEqual([]);
  });
});
