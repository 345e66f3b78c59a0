import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NfsFleet } from '../fleet/nfs-fleet';
import { describeOnNfsRig } from '../e2e/on-rig';

const SILENCE_MS = 90_000;
const BACK_MS = 60_000;

describeOnNfsRig('an NFS server that is silent for long', (rig) => {
  let fleet: NfsFleet;

  beforeAll(async () => {
    fleet = await NfsFleet.start(rig, { clientSettings: { DMS_SETTLE_INTERVAL: '1' } });
  });
  afterAll(() => fleet?.stop());

  it.each([
    ['hangs', 'pause'],
    ['is dead', 'kill'],
  ] as const)(
    'costs no job its hold when it %s for 90 s, with the default settings; what a job writes meanwhile arrives',
    async (_, harm) => {
      const [target] = await fleet.targets(1, harm);
      const path = fleet.mountPath(target);
      await fleet.mountsWithin(BACK_MS, 1, target);
      await fleet.server[harm]();
      await fleet.node.sh(`(printf 'written into the silence' >${path}/file 2>/run/said-${harm} &)`);
      await fleet.reaches(target, 'UNCERTAIN', BACK_MS);
      await sleep(SILENCE_MS);
      expect(await fleet.bindings(target)).toEqual(['held']);
      expect(await fleet.mounts()).toHaveLength(1);
      if (harm === 'kill') await fleet.server.start();
      else fleet.server.resume();
      await fleet.reaches(target, 'MOUNTED', BACK_MS);
      expect((await fleet.mount(2, target)).body).toMatchObject({ status: 'success', reused_existing: true });
      if (harm === 'pause') {
        expect(await readFile(join(target.directory, 'file'), 'utf8')).toBe('written into the silence');
      }
      expect((await fleet.node.sh(`printf after >${path}/after`)).status).toBe(0);
      await fleet.unmount(1, target);
      const { body } = await fleet.unmount(2, target);
      expect(body).toMatchObject({ unmounted: true });
      // softerr let the write fail that met a dead server, and the unmount says so.
      expect([null, 'UNMOUNTED_DIRTY']).toContain(body.error_code);
      if (harm === 'pause') expect(body.error_code).toBeNull();
    },
    300_000,
  );
});
