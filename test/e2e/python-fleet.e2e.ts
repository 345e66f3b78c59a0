import { randomUUID } from 'node:crypto';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection } from 'mysql2/promise';
import { type ReconcileResponseDto } from '@app/contracts';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { type PythonAnswer, PythonClient, type PythonRequest } from '../fleet/python-client';
import { PythonLedger } from '../fleet/python-ledger';
import { PythonNode } from '../fleet/python-node';
import { type S3Target } from '../fleet/targets';
import { makeDirectory, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** Something that is waited for. */
class Signal {
  give!: () => void;
  readonly given = new Promise<void>((resolve) => (this.give = resolve));
}

const SOON = { timeoutMs: 30_000 };
/** So many times each job of the interleaving comes and goes. */
const TURNS = 5;

describeOnRig('a fleet with clients and servers of both systems', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let lockFile: string;
  let connection: Connection;
  const pythons: PythonClient[] = [];
  let nextJob = 1;

  beforeAll(async () => {
    const settings = { DMS_SETTLE_INTERVAL: '0.5', DMS_RECONCILE_INTERVAL: '1' };
    fleet = await Fleet.start(rig, { clients: 0, nodeSettings: { DMS_BUSY_TIMEOUT: '0.5' } });
    jobs = new Jobs(fleet);
    const directory = join(fleet.directory, 'lock');
    await makeDirectory(directory);
    lockFile = join(directory, 'dms_mount_unmount.lock');
    // One beside the Python clients on their host, with their lock; one on another host.
    fleet.addClient({ ...settings, DMS_HOST_LOCK: 'true', DMS_LOCK_DIR: directory });
    fleet.addClient(settings);
    for (const client of fleet.clients) await client.start();
    await fleet.acquainted();
    connection = await createConnection(fleet.databaseUrl);
  });
  afterAll(async () => {
    await Promise.all(pythons.map((each) => each.close().catch(() => undefined)));
    await connection?.end();
    await fleet?.stop();
  });

  const python = async (host = fleet.node.host, lock = lockFile): Promise<PythonClient> => {
    const { brokerUrl, databaseUrl } = fleet;
    const client = await PythonClient.open({ brokerUrl, databaseUrl, host, lockFile: lock });
    pythons.push(client);
    return client;
  };
  const pathOf = (target: S3Target): string => join(fleet.node.base, target.id);
  const requestOf = async (jobid: number, target: S3Target, path = pathOf(target)): Promise<PythonRequest> =>
    (await fleet.targets.request(fleet.node.host, jobid, target, {
      filesystem_export_mount_path: path,
    })) as PythonRequest;
  /** By a file system: a bare directory may be covered by itself. */
  const mounted = (target: S3Target): boolean =>
    mountsBelow(pathOf(target)).some((line) => line.includes(' - fuse'));
  const row = async (target: S3Target): Promise<string | undefined> => (await jobs.target(target.id))?.state;
  const settled = (target: S3Target) =>
    waitFor(async () => !mounted(target) && ((await row(target)) ?? 'ABSENT') === 'ABSENT', {
      ...SOON,
      what: 'the mount that nobody holds to go',
    });
  const well = (answer: PythonAnswer): void =>
    expect(answer).toMatchObject({ status: 'success', error_msg: null });

  it('lets jobs of both sides share a mount; the last one takes it away, whichever side it is of', async () => {
    const target = await fleet.targets.s3('both');
    const old = await python();
    const [first, second, third] = [nextJob++, nextJob++, nextJob++];
    const request = await requestOf(first, target);
    well(await old.mount(first, request));
    expect((await jobs.mount(second, target)).body).toMatchObject({
      status: 'success',
      mount_path: pathOf(target),
    });
    well(await old.unmount(first, request));
    expect(mounted(target)).toBe(true);
    well(await old.mount(third, request));
    expect((await jobs.unmount(second, target)).body).toMatchObject({
      unmounted: false,
      active_mounts_remaining: 1,
    });
    expect(mounted(target)).toBe(true);
    well(await old.unmount(third, request));
    await settled(target);
  });

  it('keeps the mount of each job of ours while jobs of both sides come and go and a client is killed', async () => {
    const targets = [await fleet.targets.s3('busy-a'), await fleet.targets.s3('busy-b')];
    const [beside, elsewhere] = fleet.clients;
    const problems: string[] = [];
    const look = (who: string, target: S3Target): void => {
      if (!mounted(target)) problems.push(`${who}: ${target.id} is not mounted`);
    };
    const pause = () => sleep(Math.random() * 60);
    const ours = async (client: typeof beside, target: S3Target): Promise<void> => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        const job = nextJob++;
        const { body } = await jobs.mount(job, target, { client });
        if (body.status !== 'success') problems.push(`mount ${job}: ${String(body.error_msg)}`);
        look(`job ${job}`, target);
        await writeFile(join(pathOf(target), `${job}`), 'x').catch((e: unknown) => problems.push(String(e)));
        await pause();
        look(`job ${job} later`, target);
        const end = await jobs.unmount(job, target, { client });
        if (end.status !== 200) problems.push(`unmount ${job}: ${JSON.stringify(end.body)}`);
      }
    };
    const theirs = async (target: S3Target): Promise<void> => {
      const old = await python();
      for (let turn = 0; turn < TURNS; turn += 1) {
        const job = nextJob++;
        const request = await requestOf(job, target);
        well(await old.mount(job, request));
        await pause();
        well(await old.unmount(job, request));
      }
    };
    /** Jobs of a client that is killed: what became of a request is asked of the other one. */
    const killed = async (target: S3Target): Promise<void> => {
      for (let turn = 0; turn < 2; turn += 1) {
        const job = nextJob++;
        const asked = jobs.mount(job, target, { client: elsewhere }).catch(() => null);
        if (turn === 0) {
          await sleep(30);
          elsewhere.signal('SIGKILL');
        }
        await asked;
        if (turn === 0) await elsewhere.stop();
        const { status, body } = await jobs.mount(job, target, { client: beside });
        if (status !== 200) problems.push(`mount again: ${JSON.stringify(body)}`);
        look(`job ${job}`, target);
        await jobs.unmount(job, target, { client: beside });
        if (turn === 0) await elsewhere.start();
      }
    };
    await Promise.all([
      ...targets.flatMap((target) => [ours(beside, target), theirs(target)]),
      killed(targets[0]),
    ]);
    expect(problems).toEqual([]);
    for (const target of targets) {
      // Also where a Python job mounted first and left while others held, so that it did not tell the node.
      await settled(target);
    }
    expect(
      await fleet.query(
        'SELECT jobid FROM backup_target_mount_ledger WHERE mounted AND backup_target_id IN (?, ?)',
        [targets[0].id, targets[1].id],
      ),
    ).toEqual([]);
  });

  it('keeps a mount that a killed Python client left, says so, and takes it away when that is ended', async () => {
    const target = await fleet.targets.s3('orphan');
    const old = await python();
    const [dead, job] = [nextJob++, nextJob++];
    const request = await requestOf(dead, target);
    well(await old.mount(dead, request, 'killed'));
    await old.kill();
    expect((await jobs.mount(job, target)).body).toMatchObject({ status: 'success' });
    const { body } = await jobs.unmount(job, target);
    expect(body).toMatchObject({ physically_mounted: true, unmounted: false, error_code: 'BUSY' });
    // Which job it is, and what a person can do.
    expect(body.success_msg).toContain(`for job ${dead}; if it has ended without a trace`);
    expect(body.success_msg).toContain(`umount ${pathOf(target)}`);
    expect(mounted(target)).toBe(true);
    const another = await python();
    well(await another.unmountAnyway(dead, request));
    await settled(target);
  });

  it('takes the mount of a Python job away that left while a job of ours held it', async () => {
    const target = await fleet.targets.s3('told-nobody');
    const old = await python();
    const [first, job] = [nextJob++, nextJob++];
    const request = await requestOf(first, target);
    well(await old.mount(first, request));
    await jobs.mount(job, target);
    // Not the last by the ledger: its client writes the ledger alone, and does not tell the node.
    well(await old.unmount(first, request));
    expect((await jobs.unmount(job, target)).body).toMatchObject({
      ...{ unmounted: true, physically_mounted: false, active_mounts_remaining: 0, error_code: null },
    });
    expect(mounted(target)).toBe(false);
  });

  it('keeps the mount of a Python job that mounts again and has not written it yet', async () => {
    const target = await fleet.targets.s3('again');
    const old = await python();
    const [first, job] = [nextJob++, nextJob++];
    const request = await requestOf(first, target);
    well(await old.mount(first, request));
    well(await old.unmount(first, request));
    await settled(target);
    const answered = new Signal();
    const goesOn = new Signal();
    const again = old.mount(first, request, () => {
      answered.give();
      return goesOn.given;
    });
    await answered.given;
    // The one that does not wait for the Python client's lock.
    const client = fleet.clients[1];
    expect((await jobs.mount(job, target, { client })).body).toMatchObject({ status: 'success' });
    const { body } = await jobs.unmount(job, target, { client });
    expect(body).toMatchObject({ physically_mounted: true, error_code: 'BUSY' });
    expect(body.success_msg).toContain(`for job ${first};`);
    goesOn.give();
    well(await again);
    expect(mounted(target)).toBe(true);
    well(await old.unmount(first, request));
    await settled(target);
  });

  it('does not make a hold lost by what the node saw before it was written', async () => {
    const target = await fleet.targets.s3('late-look');
    const [job, first] = [nextJob++, nextJob++];
    await jobs.mount(job, target);
    await jobs.unmount(job, target);
    // Of another host, so that it waits for none of ours.
    const old = await python(fleet.node.host, `${lockFile}.elsewhere`);
    const key = [fleet.node.host, target.id];
    const { epoch } = (await jobs.target(target.id)) ?? { epoch: 0 };
    const lock = await createConnection(fleet.databaseUrl);
    fleet.node.signal('SIGSTOP');
    try {
      await lock.query(
        "UPDATE target_mounts SET state = 'UNCERTAIN' WHERE host = ? AND backup_target_id = ?",
        key,
      );
      await waitFor(async () => Number((await jobs.target(target.id))?.epoch) > Number(epoch), {
        ...SOON,
        what: 'a fence to be sent',
      });
      // Its answer can be read, and not be written.
      await lock.query('START TRANSACTION');
      await lock.query(
        'SELECT epoch FROM target_mounts WHERE host = ? AND backup_target_id = ? FOR UPDATE',
        key,
      );
      fleet.node.signal('SIGCONT');
      well(await old.mount(first, await requestOf(first, target)));
    } finally {
      fleet.node.signal('SIGCONT');
      await lock.end();
    }
    await waitFor(async () => (await row(target)) === 'MOUNTED', { ...SOON, what: 'the ledger to follow' });
    const hold =
      'SELECT mounted, state FROM backup_target_mount_ledger WHERE jobid = ? AND backup_target_id = ?';
    expect(await fleet.query(hold, [first, target.id])).toEqual([{ mounted: 1, state: null }]);
    well(await old.unmount(first, await requestOf(first, target)));
    await settled(target);
  });

  it('is not fooled by a row that a killed Python client left, which cleanup --held takes away', async () => {
    const target = await fleet.targets.s3('stale');
    const old = await python();
    const [dead, job] = [nextJob++, nextJob++];
    const request = await requestOf(dead, target);
    well(await old.mount(dead, request));
    well(await old.unmount(dead, request, 'killed'));
    await old.kill();
    // The old system would now tell every further job that it is mounted.
    expect((await jobs.mount(job, target)).body).toMatchObject({ status: 'success' });
    await access(pathOf(target));
    expect(mounted(target)).toBe(true);
    await jobs.unmount(job, target);
    const { body } = await fleet.api.post('/api/v1/admin/cleanup', { hours: 0.00001, held: true });
    expect(body).toMatchObject({ status: 'success' });
    await settled(target);
  });

  it('notices and tells that a Python job was told success where nothing is mounted', async () => {
    const target = await fleet.targets.s3('lie');
    const [job, fooled] = [nextJob++, nextJob++];
    await jobs.mount(job, target);
    const old = new PythonLedger(connection);
    expect(await old.active(target.id, fleet.node.host)).toEqual([job]);
    // A Python client of another host does not see this, for its lock is of its host alone.
    expect((await jobs.unmount(job, target, { client: fleet.clients[1] })).body).toMatchObject({
      unmounted: true,
    });
    await old.mounted(fooled, target.id, fleet.node.host);
    await waitFor(async () => (await jobs.binding(fooled, target.id)) === 'lost', {
      ...SOON,
      what: 'the hold to be lost',
    });
    const { body } = await fleet.api.get(`/api/v1/bindings/${fooled}/${target.id}?host=${fleet.node.host}`);
    expect(body).toMatchObject({ state: 'lost', mounted: false });
    const logs = await Promise.all(fleet.clients.map((client) => client.log()));
    expect(logs.join('')).toContain('held_without_mount');
  });

  it('tells the same of a target that nobody has asked ours for, and leaves it to a person', async () => {
    const target = await fleet.targets.s3('unheard');
    const fooled = nextJob++;
    await new PythonLedger(connection).mounted(fooled, target.id, fleet.node.host);
    const reconcile = async (dryRun: boolean): Promise<unknown> => {
      const asked = { host: fleet.node.host, dry_run: dryRun };
      const { body } = await fleet.api.post<ReconcileResponseDto>('/api/v1/admin/reconcile', asked);
      return body.differences.filter(({ backup_target_id }) => backup_target_id === target.id);
    };
    expect(await reconcile(true)).toMatchObject([{ kind: 'held_without_mount', outcome: 'reported' }]);
    expect(await jobs.binding(fooled, target.id)).not.toBe('lost');
    expect(await reconcile(false)).toMatchObject([{ kind: 'held_without_mount', outcome: 'repaired' }]);
    expect(await jobs.binding(fooled, target.id)).toBe('lost');
  });

  it('keeps a job of ours mounted through an unmount that a Python program sends past the ledger', async () => {
    const target = await fleet.targets.s3('rude');
    const job = nextJob++;
    await jobs.mount(job, target);
    const old = await python();
    well(await old.unmountAnyway(nextJob++, await requestOf(job, target)));
    expect(mounted(target)).toBe(true);
    expect(await jobs.binding(job, target.id)).toBe('held');
    expect((await jobs.unmount(job, target)).body).toMatchObject({ unmounted: true });
  });

  it('shares the mounts of a Python server by the ledger', async () => {
    const node = new PythonNode(fleet.brokerUrl, `old-${randomUUID().slice(0, 8)}`);
    await node.start();
    try {
      const target = await fleet.targets.s3('old-server');
      const path = `/var/lib/trilio/triliovault-mounts/${target.id}`;
      const old = await python(node.host);
      const [first, second] = [nextJob++, nextJob++];
      const request = await requestOf(first, target, path);
      well(await old.mount(first, request));
      const onNode = { host: node.host };
      expect((await jobs.mount(second, target, onNode)).body).toMatchObject({
        status: 'success',
        mount_path: path,
      });
      well(await old.unmount(first, request));
      expect([...node.mounted]).toEqual([path]);
      well(await old.mount(first, request));
      expect((await jobs.unmount(second, target, onNode)).body).toMatchObject({ unmounted: false });
      expect([...node.mounted]).toEqual([path]);
      well(await old.unmount(first, request));
      expect([...node.mounted]).toEqual([]);
      expect((await fleet.api.get(`/api/v1/nodes/${node.host}`)).body).toMatchObject({ state: 'legacy' });
    } finally {
      await node.stop();
    }
  });
});
