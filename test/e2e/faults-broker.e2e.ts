import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { filesWith } from '../fleet/files-with';
import { Fleet } from '../fleet/fleet';
import { FuseProgram } from '../fleet/fuse-program';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { type S3Target } from '../fleet/targets';
import { WireClient } from '../fleet/wire-client';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** Promised: what was left open is settled within 30 s. Asserted at three times that. */
const HEALED_MS = 90_000;
const SOON_MS = 30_000;
/** Promised: `NODE_UNREACHABLE` at once; a node that is gone is known by its hellos after 6 s. */
const AT_ONCE_MS = 18_000;
const REQUEST_TIMEOUT_S = 4;

/** The faults of the Python system that have to do with the broker, which is this file's own: it is stopped and held. */
describeOnRig('faults of the Python system, with a broker to break', () => {
  let rig: Rig;
  let fuse: FuseProgram;
  let fleet: Fleet;
  let jobs: Jobs;

  beforeAll(async () => {
    rig = await Rig.start();
    fuse = await FuseProgram.create(join(rig.directory, 'fuse'));
    fleet = await Fleet.start(rig.addresses, {
      nodeSettings: { DMS_S3VAULTFUSE_BIN: fuse.path },
      clientSettings: { DMS_REQUEST_TIMEOUT: String(REQUEST_TIMEOUT_S) },
    });
    jobs = new Jobs(fleet);
  }, 120_000);

  afterAll(async () => {
    await fleet?.stop();
    await rig?.stop();
  });

  const layersOf = (target: S3Target): number => mountsBelow(join(fleet.node.base, target.id)).length;
  const bothReady = async (): Promise<boolean> =>
    (await fleet.node.ready()) && (await fleet.clients[0].ready());
  const backByThemselves = (): Promise<unknown> =>
    waitFor(bothReady, {
      timeoutMs: HEALED_MS,
      what: 'server and client to be ready again',
      intervalMs: 100,
    });
  const operation = async (answer: { body: Record<string, unknown> }): Promise<Record<string, unknown>> =>
    (await fleet.api.get(`/api/v1/operations/${String(answer.body.operation_id)}`)).body;

  it('3: a reply after the time-out: 504, the operation executing, then ended truthfully', async () => {
    const target = await fleet.targets.s3('late');
    await fuse.hold('start', target.bucket);
    const mounting = jobs.mount(1, target);
    await fuse.reached('start', target.bucket);
    rig.broker.pause();
    try {
      await fuse.letGo('start', target.bucket);
      const { status, body } = await mounting;
      expect({ status, code: body.error_code }).toEqual({ status: 504, code: 'TIMEOUT' });
      expect(layersOf(target)).toBe(1);
      expect(await operation({ body })).toMatchObject({ status: 'executing' });
      expect(await jobs.binding(1, target.id)).toBe('claimed');
    } finally {
      rig.broker.resume();
    }
    const ended = await waitFor(
      async () => {
        const found = await operation(await mounting);
        return found.status === 'executing' ? null : found;
      },
      { timeoutMs: HEALED_MS, what: 'the operation to end', intervalMs: 200 },
    );
    expect(ended).toMatchObject({ status: 'success' });
    // Who has read that relies on it.
    expect({ binding: await jobs.binding(1, target.id), layers: layersOf(target) }).toEqual({
      binding: 'held',
      layers: 1,
    });
    expect((await jobs.unmount(1, target)).body).toMatchObject({ unmounted: true });
  }, 150_000);

  it.each(['the connection to the broker', 'the node'])(
    'repeats a mount by its Idempotency-Key after %s was frozen: the repeat is carried out',
    async (what) => {
      const target = await fleet.targets.s3('frozen');
      const request = await fleet.targets.request(fleet.node.host, 1, target);
      const key = { 'Idempotency-Key': randomUUID() };
      const freeze = (frozen: boolean): void => {
        if (what === 'the node') fleet.node.signal(frozen ? 'SIGSTOP' : 'SIGCONT');
        else if (frozen) rig.broker.pause();
        else rig.broker.resume();
      };
      freeze(true);
      let first: { status: number; body: Record<string, unknown> };
      try {
        first = await fleet.api.post('/api/v1/mount', request, key);
        expect([503, 504]).toContain(first.status);
        // The sender's deadline passes, and with it that of the command.
        await waitFor(async () => !(await fleet.clients[0].ready()) || what === 'the node', {
          timeoutMs: HEALED_MS,
          what: 'the client to miss the broker',
        });
      } finally {
        freeze(false);
      }
      await backByThemselves();
      const over = async (): Promise<boolean> => (await operation(first)).status !== 'executing';
      await waitFor(over, { timeoutMs: HEALED_MS, what: 'the first request to end', intervalMs: 200 });
      const repeat = await fleet.api.post('/api/v1/mount', request, key);
      expect(repeat).toMatchObject({ status: 200, body: { status: 'success' } });
      expect(layersOf(target)).toBe(1);
      expect((await jobs.unmount(1, target)).body).toMatchObject({ unmounted: true });
    },
    240_000,
  );

  it('6: server away: refused at once, nothing waits in the queue, no token in the broker’s files, nothing mounted later', async () => {
    const target = await fleet.targets.s3('away');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const token = String(request.keystone_token);
    const canary = randomUUID();
    fleet.node.signal('SIGKILL');
    await fleet.node.ended(SOON_MS);
    const began = performance.now();
    const { status, body } = await fleet.api.post('/api/v1/mount', request);
    expect({ status, code: body.error_code }).toEqual({ status: 503, code: 'NODE_UNREACHABLE' });
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
    const queue = (await rig.broker.queues()).find(({ name }) => name === `dms.${fleet.node.host}`);
    expect(queue).toMatchObject({ messages: 0, consumers: 0 });
    expect(await jobs.binding(1, target.id)).toBe('released');

    await fleet.node.start();
    const wire = await WireClient.open(fleet.brokerUrl, fleet.node.host);
    try {
      // Whatever had waited in the queue would have been taken before this is answered.
      expect((await wire.call('{"action":"inventory"}')).body.status).toBe('success');
      await backByThemselves();
      expect(mountsBelow(fleet.node.base)).toEqual([]);
      expect(s3fsProcesses(target.bucket)).toEqual([]);
      // Shows that the files are searched in such a way that a text would be found.
      await wire.channel.assertQueue('canary', { durable: true });
      wire.channel.sendToQueue('canary', Buffer.from(canary), { persistent: true });
      expect((await wire.channel.checkQueue('canary')).messageCount).toBe(1);
    } finally {
      await wire.close();
    }
    // A token that was carried out, too.
    expect((await fleet.api.post('/api/v1/mount', request)).body.status).toBe('success');
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
    // What it keeps in memory is written where it keeps files when it stops.
    await rig.broker.stop();
    try {
      expect(await filesWith(canary, rig.broker.dataDirectory)).not.toEqual([]);
      expect(await filesWith(token, rig.broker.dataDirectory)).toEqual([]);
    } finally {
      await rig.broker.start();
    }
    await backByThemselves();
  }, 150_000);

  it('11: a broker that is restarted, or killed: server and client come back by themselves, the mount stays', async () => {
    const target = await fleet.targets.s3('restart');
    const [server, client] = [fleet.node.pid, fleet.clients[0].pid];
    expect((await jobs.mount(1, target)).body.status).toBe('success');
    await rig.broker.restart();
    await backByThemselves();
    expect((await jobs.mount(2, target)).body).toMatchObject({ status: 'success', reused_existing: true });
    await rig.broker.kill();
    expect(layersOf(target)).toBe(1);
    await rig.broker.start();
    await backByThemselves();
    expect((await jobs.unmount(1, target)).body).toMatchObject({ physically_mounted: true });
    expect((await jobs.unmount(2, target)).body).toMatchObject({ unmounted: true });
    expect([fleet.node.pid, fleet.clients[0].pid]).toEqual([server, client]);
  }, 150_000);

  it('12: a broker silent for longer than the heartbeat, and connections that it closes: the next request works', async () => {
    const target = await fleet.targets.s3('idle');
    rig.broker.pause();
    try {
      const noticed = async (): Promise<boolean> =>
        !(await fleet.node.ready()) && !(await fleet.clients[0].ready());
      await waitFor(noticed, {
        timeoutMs: HEALED_MS,
        what: 'both to miss the heartbeats of the broker',
        intervalMs: 100,
      });
      for (const url of [`${fleet.node.healthUrl}/ready`, `${fleet.clients[0].url}/health/ready`]) {
        const answer = await fetch(url);
        const down = { broker: expect.objectContaining({ status: 'down' }) as unknown };
        expect({ status: answer.status, body: await answer.json() }).toMatchObject({
          status: 503,
          body: { status: 'error', error: down, details: { ...down, tls: { status: 'up' } } },
        });
      }
    } finally {
      rig.broker.resume();
    }
    await backByThemselves();
    expect((await jobs.mount(1, target)).body.status).toBe('success');
    await rig.broker.closeConnections(`test ${randomUUID()}`);
    await backByThemselves();
    expect((await jobs.unmount(1, target)).body).toMatchObject({ unmounted: true });
    expect(layersOf(target)).toBe(0);
  }, 150_000);

  it('the broker away: nobody joins a mount that cannot be asked for; its death is told when the broker is back', async () => {
    const target = await fleet.targets.s3('unheard');
    // The first one gives up before it has waited for the broker.
    const client = fleet.addClient();
    await client.start();
    expect((await jobs.mount(1, target, { client })).body.status).toBe('success');
    // Joins what stands at once, by the hello: as it is while the broker is there.
    expect((await jobs.mount(2, target, { client })).body).toMatchObject({ reused_existing: true });
    await rig.broker.kill();
    await waitFor(async () => !(await client.ready()), {
      timeoutMs: SOON_MS,
      what: 'the client to notice',
      intervalMs: 50,
    });
    try {
      for (const pid of s3fsProcesses(target.bucket)) process.kill(pid, 'SIGKILL');
      const { status, body } = await jobs.mount(3, target, { client });
      expect({ status, code: body.error_code }).toEqual({ status: 503, code: 'BROKER_UNAVAILABLE' });
      expect(await jobs.binding(3, target.id)).toBe('released');
      expect(await jobs.binding(1, target.id)).toBe('held');
    } finally {
      await rig.broker.start();
    }
    await backByThemselves();
    const lost = async (): Promise<boolean> => (await jobs.binding(1, target.id)) === 'lost';
    await waitFor(lost, { timeoutMs: HEALED_MS, what: 'the hold to be lost', intervalMs: 200 });
    expect((await jobs.mount(3, target, { client })).body).toMatchObject({
      status: 'success',
      reused_existing: false,
    });
    expect((await jobs.unmount(3, target, { client })).body).toMatchObject({ unmounted: true });
  }, 150_000);
});
