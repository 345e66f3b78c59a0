import { type DataSource } from 'typeorm';
import { ObservedChanges } from '../../apps/dms-client/src/ledger/observed-changes';
import { LockService } from '../../apps/dms-client/src/locks/lock.service';
import { createDataSource } from '../../apps/dms-client/src/ledger/data-source';
import { TargetLeasesRepository } from '../../apps/dms-client/src/locks/target-leases.repository';
import { TargetLedger } from '../../apps/dms-client/src/ledger/target-ledger';
import { loadClientSettings } from '../../apps/dms-client/src/settings/client.settings';
import { Fleet } from '../fleet/fleet';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

interface Ended {
  readonly jobid: string;
  readonly status: string;
}

describeOnRig('waiting for a lease that another process has', (rig) => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { clients: 2 });
  }, 120_000);
  afterAll(() => fleet?.stop());

  describe('in the ledger', () => {
    let source: DataSource;
    let ledger: TargetLedger;
    let locks: LockService;
    const host = 'a-node-of-its-own';
    const key = { host, targetId: 'order' };

    beforeAll(async () => {
      const settings = loadClientSettings(fleet.clients[0].environment);
      source = await createDataSource(settings).initialize();
      const observed = new ObservedChanges();
      ledger = new TargetLedger(source, observed);
      locks = new LockService(new TargetLeasesRepository(source, observed), settings);
    });
    afterAll(() => source?.destroy());
    afterEach(async () => {
      for (const table of ['target_mounts', 'lease_waiters'])
        await source.query(`DELETE FROM ${table} WHERE host = ?`, [host]);
    });
    const waiters = () => source.query('SELECT token FROM lease_waiters WHERE host = ?', [host]);

    const acquire = (place = locks.place(), stays = true) =>
      ledger.transaction(key, (transaction) => locks.tryAcquire(transaction, place, stays));

    it('is first come, first served', async () => {
      const [first, second, third] = [locks.place(), locks.place(), locks.place()];
      const held = await acquire(first);
      if (held.kind !== 'acquired') throw new Error('Nobody else had it');
      expect(await acquire(second)).toEqual({ kind: 'taken', next: true });
      expect(await acquire(third)).toEqual({ kind: 'taken', next: false });

      await ledger.transaction(key, (transaction) => locks.release(transaction, held.lease));
      expect(await acquire(third)).toEqual({ kind: 'taken', next: false });
      expect(await acquire(first)).toEqual({ kind: 'taken', next: false });
      expect(await acquire(second)).toEqual({
        kind: 'acquired',
        lease: { key, token: second.token },
      });
    });

    it('waits for nobody who asks no more', async () => {
      const [gone, patient] = [locks.place(), locks.place()];
      const held = await acquire();
      if (held.kind !== 'acquired') throw new Error('Nobody else had it');
      await acquire(gone);
      await acquire(patient);
      await ledger.transaction(key, (transaction) => locks.release(transaction, held.lease));
      expect((await acquire(patient)).kind).toBe('taken');
      // Who waits asks again and again; who is gone does not, and after two seconds that has been observed.
      await waitFor(async () => (await acquire(patient)).kind === 'acquired', {
        what: 'the place of the one that is gone to lapse',
        timeoutMs: 6_000,
      });
      expect(await waiters()).toEqual([]);
    });

    it('gives no place to one that does not wait', async () => {
      await acquire();
      await acquire(locks.place(), false);
      expect(await waiters()).toEqual([]);
    });
  });

  it('lets a process that has much to do go on only after those that wait', async () => {
    const { node } = fleet;
    const target = await fleet.targets.s3('order');
    const good = await fleet.targets.request(node.host, 1000, target);
    const bad = { ...good, keystone_token: 'none-that-keystone-knows' };
    const jobs = Array.from({ length: 12 }, (_, index) => index + 1);
    const [busy, other] = fleet.clients;
    const answers = jobs.map((jobid) => busy.api.post('/api/v1/mount', { ...bad, job: { jobid } }));
    await Promise.race(answers);
    const granted = await other.api.post('/api/v1/mount', good);
    expect(granted.body).toMatchObject({ status: 'success' });
    await Promise.all(answers);

    const ended = await fleet.query<Ended>(
      `SELECT jobid, status FROM mount_operations WHERE backup_target_id = '${target.id}' ORDER BY completed_at, created_at`,
    );
    const place = ended.findIndex(({ jobid }) => Number(jobid) === 1000);
    // Those that came after it in the busy process joined its mount, or were refused after it.
    expect(place).toBeLessThan(ended.length - 1);
    expect(ended).toHaveLength(13);
    await other.api.post('/api/v1/unmount', good);
  });
});
