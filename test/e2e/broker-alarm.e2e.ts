import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { nextHello } from '../fleet/next-hello';
import { WireClient } from '../fleet/wire-client';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** Promised: an alarm is known within 2 s of its first publication, which comes every 2 s. Asserted at three times that. */
const NOTICED_MS = 12_000;
/** A request is refused at once; asserted generously, because it begins with the ledger. */
const REFUSED_MS = 9_000;
const HEALED_MS = 90_000;

describeOnRig('a broker that is short of memory or disk', () => {
  let rig: Rig;
  let fleet: Fleet;
  let jobs: Jobs;

  beforeAll(async () => {
    rig = await Rig.start();
    fleet = await Fleet.start(rig.addresses);
    jobs = new Jobs(fleet);
  }, 120_000);

  afterAll(async () => {
    await fleet?.stop();
    await rig?.stop();
  });

  const begin = (alarm: 'memory' | 'disk'): Promise<string> =>
    alarm === 'memory'
      ? rig.broker.ctl(['set_vm_memory_high_watermark', '0.0001'])
      : rig.broker.ctl(['set_disk_free_limit', '900000GB']);
  const end = async (): Promise<void> => {
    await rig.broker.ctl(['set_vm_memory_high_watermark', '0.4']);
    await rig.broker.ctl(['set_disk_free_limit', '1MB']);
  };
  const brokerDown = async (url: string): Promise<unknown> => {
    const answer = await fetch(url);
    const { error = {} } = (await answer.json()) as { error?: Record<string, unknown> };
    return answer.status === 503 ? error.broker : null;
  };
  const bothReady = async (): Promise<boolean> =>
    (await fleet.node.ready()) && (await fleet.clients[0].ready());

  it.each<['memory' | 'disk', string]>([
    ['memory', 'low on memory'],
    ['disk', 'low on disk'],
  ])(
    'refuses mounts while its %s is short, says why, and goes on when that is over',
    async (alarm, reason) => {
      const target = await fleet.targets.s3(`alarm-${alarm}`);
      await begin(alarm);
      try {
        for (const url of [`${fleet.node.healthUrl}/ready`, `${fleet.clients[0].url}/health/ready`]) {
          const down = await waitFor(() => brokerDown(url), {
            timeoutMs: NOTICED_MS,
            what: `${url} to tell of the alarm`,
            intervalMs: 100,
          });
          expect(JSON.stringify(down)).toContain(`blocks publishers: ${reason}`);
        }
        const began = performance.now();
        const { status, body } = await jobs.mount(1, target);
        expect({ status, code: body.error_code, text: body.error_msg }).toEqual({
          status: 503,
          code: 'BROKER_UNAVAILABLE',
          text: expect.stringContaining(reason) as unknown,
        });
        expect(performance.now() - began).toBeLessThan(REFUSED_MS);
        for (const file of [fleet.node.logFile, fleet.clients[0].logFile])
          expect(await readFile(file, 'utf8')).toContain(`blocks publishers: ${reason}`);
      } finally {
        await end();
      }
      await waitFor(bothReady, { timeoutMs: HEALED_MS, what: 'both to be ready again', intervalMs: 100 });
      expect(await jobs.binding(1, target.id)).toBe('released');
      expect(mountsBelow(fleet.node.base)).toEqual([]);
      expect((await jobs.mount(2, target)).body).toMatchObject({ status: 'success', reused_existing: false });
      expect((await jobs.unmount(2, target)).body).toMatchObject({ unmounted: true });
    },
    180_000,
  );

  it('carries out no command later that was published during the alarm', async () => {
    const sender = await WireClient.open(fleet.brokerUrl, fleet.node.host);
    try {
      const { incarnation, clock_ms } = await nextHello(sender.channel, fleet.node.host);
      await begin('memory');
      const reply = sender.call(
        {
          action: 'mount',
          host: fleet.node.host,
          job: { jobid: 1 },
          backup_target: { id: 'late', type: 'nfs', filesystem_export: '127.0.0.1:/export' },
          dms: {
            ...{ protocol: 1, incarnation, epoch: 1, operation_id: randomUUID() },
            ...{ deadline_ms: 1_000, sent_clock_ms: clock_ms },
          },
        },
        // The broker counts it from the end of the alarm.
        { expiration: '1000' },
      );
      // Longer than the deadline and the delay that a hello may have.
      await sleep(12_000);
      await end();
      expect((await reply).body).toMatchObject({
        status: 'error',
        error_code: 'TIMEOUT',
        acted: false,
        error_msg: expect.stringMatching(/was sent \d+ s ago.*Nothing was done/) as unknown,
      });
    } finally {
      await end();
      await sender.close();
    }
    await waitFor(bothReady, { timeoutMs: HEALED_MS, what: 'both to be ready again', intervalMs: 100 });
  }, 120_000);
});
