import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type MountResponseDto, type OperationListDto, type ReconcileResponseDto } from '@app/contracts';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { PROGRAMS } from '../fleet/programs';
import { PYTHON_COLUMNS } from '../fleet/python-ledger';
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

  describe('of a target that only a Python program has written about', () => {
    const written = async (...targetIds: string[]): Promise<number> => {
      job += 1;
      const rows = targetIds.map(
        () => '(UTC_TIMESTAMP(), UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, 1, ?, ?, ?, 1)',
      );
      await fleet.query(
        `INSERT INTO backup_target_mount_ledger (${PYTHON_COLUMNS}) VALUES ${rows.join(', ')}`,
        targetIds.flatMap((targetId) => [job, targetId, fleet.node.host]),
      );
      return job;
    };
    const heldBy = async (jobid: number): Promise<number> => {
      const sql = 'SELECT COUNT(*) AS n FROM backup_target_mount_ledger WHERE jobid = ? AND mounted';
      return Number((await fleet.query<{ n: unknown }>(sql, [jobid]))[0].n);
    };

    it('a binding without a mount: status says so, and the job has lost it', async () => {
      const target = await fleet.targets.s3('written');
      const jobid = await written(target.id);
      const held = { target, jobid, path: '' };
      const asked = ['--job-id', String(jobid), '--target-id', target.id, '--verify'];
      expect(await dms('status', ...asked)).toMatchObject({
        state: 'held',
        verified: { state: 'absent', agrees: false },
      });
      expect(await reconcile(held, '--dry-run')).toEqual([
        { kind: 'held_without_mount', outcome: 'reported' },
      ]);
      expect(await jobs.target(target.id)).toBeUndefined();
      expect(await reconcile(held)).toEqual([{ kind: 'held_without_mount', outcome: 'repaired' }]);
      expect(await jobs.binding(jobid, target.id)).toBe('lost');
      expect(await jobs.operations(target.id)).toEqual([{ action: 'reconcile', status: 'success' }]);
      expect(await reconcile(held)).toEqual([]);
    });

    it('many of them: told and settled in portions', async () => {
      const jobid = await written(
        ...Array.from({ length: 201 }, (_, n) => `portion-${String(n).padStart(3, '0')}`),
      );
      const first = await dms<ReconcileResponseDto>('reconcile');
      expect(first.success_msg).toContain('there may be more');
      expect(first.differences).toHaveLength(200);
      expect(await heldBy(jobid)).toBe(1);
      const rest = await dms<ReconcileResponseDto>('reconcile');
      expect(rest.success_msg).not.toContain('there may be more');
      expect(rest.differences).toHaveLength(1);
      expect(await heldBy(jobid)).toBe(0);
    });

    it('a binding that may be for a mount of a Python server before ours: it is told, and kept', async () => {
      const held = await mounted();
      const stranger = join(fleet.node.base, 'of-a-python-server');
      const target = await fleet.targets.s3('older');
      const jobid = await written(target.id);
      const older = { target, jobid, path: '' };
      execFileSync('mkdir', [stranger]);
      execFileSync('mount', ['--bind', held.path, stranger]);
      try {
        expect(await reconcile(older)).toEqual([{ kind: 'held_without_mount', outcome: 'reported' }]);
        expect(await heldBy(jobid)).toBe(1);
      } finally {
        execFileSync('umount', [stranger]);
        execFileSync('rmdir', [stranger]);
      }
      expect(await reconcile(older)).toEqual([{ kind: 'held_without_mount', outcome: 'repaired' }]);
      expect(await heldBy(jobid)).toBe(0);
      await release(held);
    });
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

  it('a mount without a binding that somebody uses: it stays, and is told with who that is', async () => {
    const held = await mounted();
    const user = spawn('sleep', ['300'], { cwd: held.path, stdio: 'ignore' });
    try {
      await fleet.query(
        `UPDATE backup_target_mount_ledger SET mounted = FALSE, state = 'released' WHERE backup_target_id = ?`,
        [held.target.id],
      );
      await fleet.query(`UPDATE target_mounts SET state = 'ABSENT' WHERE backup_target_id = ?`, [
        held.target.id,
      ]);
      expect(await reconcile(held)).toEqual([{ kind: 'not_in_ledger', outcome: 'open' }]);
      expect(mountsBelow(held.path)).toHaveLength(1);
      const { operations } = await dms<OperationListDto>(
        'operations',
        '--action',
        'reconcile',
        '--limit',
        '1',
      );
      expect(operations).toMatchObject([
        { backup_target_id: held.target.id, status: 'error', error_code: 'BUSY' },
      ]);
      const { differences } = await dms<ReconcileResponseDto>('reconcile', '--dry-run');
      expect(differences.filter(({ backup_target_id }) => backup_target_id === held.target.id)).toMatchObject(
        [
          {
            kind: 'mount_without_binding',
            outcome: 'reported',
            problem: expect.stringContaining(String(user.pid)) as string,
          },
        ],
      );
      expect(await reconcile(held)).toEqual([{ kind: 'mount_without_binding', outcome: 'open' }]);
    } finally {
      const ended = once(user, 'exit');
      user.kill();
      await ended;
    }
    await release(held);
    expect(await reconcile(held)).toEqual([]);
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
