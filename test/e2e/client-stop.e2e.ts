import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { type ClientProcess } from '../fleet/client-process';
import { Fleet } from '../fleet/fleet';
import { FuseProgram } from '../fleet/fuse-program';
import { Jobs } from '../fleet/jobs';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const STOP_GRACE_S = 8;
/** Promised: the grace period, and four seconds for the connections. Asserted at twice that. */
const ENDED_MS = 2 * (STOP_GRACE_S + 4) * 1_000;
const SOON = { timeoutMs: 30_000, intervalMs: 20 };
const WORKERS = 6;

interface Reply {
  readonly status: number;
  readonly connection: string | undefined;
  readonly body: Record<string, unknown>;
}

/** A caller with one connection, which it keeps as long as it may. */
class Caller {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  send(method: 'GET' | 'POST', url: string, body?: object): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, agent: this.#agent, timeout: 60_000 }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (data: string) => (text += data));
        response.once('error', reject);
        response.once('end', () => {
          const { statusCode = 0, headers } = response;
          resolve({ status: statusCode, connection: headers.connection, body: JSON.parse(text) as object as Reply['body'] }); // prettier-ignore
        });
      });
      sent.once('error', reject);
      sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

describeOnRig('SIGTERM of dms-client', (rig) => {
  let fleet: Fleet;
  let fuse: FuseProgram;
  let jobs: Jobs;

  beforeAll(async () => {
    fuse = await FuseProgram.create(join(rig.directory, 'client-stop-fuse'));
    fleet = await Fleet.start(rig, {
      clients: 2,
      nodeSettings: { DMS_S3VAULTFUSE_BIN: fuse.path },
      clientSettings: { DMS_STOP_GRACE: String(STOP_GRACE_S) },
    });
    jobs = new Jobs(fleet);
    await fleet.acquainted();
  }, 120_000);
  afterAll(() => fleet?.stop());

  const exits = (client: ClientProcess): Promise<unknown> =>
    waitFor(() => client.ready().then(() => false, () => true), { timeoutMs: ENDED_MS, what: 'dms-client to end' }); // prettier-ignore

  it('ends what was begun, refuses what is new with 503 and Connection: close, and says so in its readiness', async () => {
    const [client] = fleet.clients;
    const target = await fleet.targets.s3('in-flight');
    await fuse.hold('start', target.bucket);
    const mounting = jobs.mount(1, target);
    await fuse.reached('start', target.bucket);
    const caller = new Caller();
    const list = `${client.url}/api/v1/bindings`;
    try {
      expect(await caller.send('GET', list)).toMatchObject({ status: 200, connection: 'keep-alive' });
      client.signal('SIGTERM');
      const refused = await waitFor(
        async () => {
          const reply = await caller.send('GET', list);
          return reply.status === 200 ? null : reply;
        },
        { ...SOON, what: 'new requests to be refused' },
      );
      expect(refused).toMatchObject({
        status: 503,
        connection: 'close',
        body: { error_code: 'CLIENT_UNREACHABLE' },
      });
      const other = await fleet.targets.request(fleet.node.host, 2, target);
      expect(await caller.send('POST', `${client.url}/api/v1/mount`, other)).toMatchObject({ status: 503 });
      expect(await caller.send('GET', `${client.url}/health/ready`)).toMatchObject({
        status: 503,
        body: { error: { facade: { status: 'down' } } },
      });
      expect(await caller.send('GET', `${client.url}/health/live`)).toMatchObject({ status: 200 });
      await fuse.letGo('start', target.bucket);
      expect(await mounting).toMatchObject({ status: 200, body: { status: 'success' } });
      await exits(client);
      expect(await jobs.binding(2, target.id)).toBe('none');
    } finally {
      await fuse.letGo('start', target.bucket);
      caller.close();
      await client.stop();
      await client.start();
    }
    expect((await jobs.unmount(1, target)).body).toMatchObject({ unmounted: true });
  }, 120_000);

  it('answers TIMEOUT what does not end within the grace period, and the repeat tells what became of it', async () => {
    const [client, other] = fleet.clients;
    const target = await fleet.targets.s3('outlasting');
    await fuse.hold('start', target.bucket);
    try {
      const mounting = jobs.mount(3, target);
      await fuse.reached('start', target.bucket);
      client.signal('SIGTERM');
      expect(await mounting).toMatchObject({
        status: 504,
        body: { error_code: 'TIMEOUT', operation_id: expect.any(String) as unknown },
      });
      await exits(client);
    } finally {
      await fuse.letGo('start', target.bucket);
      await client.stop();
      await client.start();
    }
    expect((await jobs.mount(3, target, { client: other })).body).toMatchObject({ status: 'success' });
    expect((await jobs.unmount(3, target)).body).toMatchObject({ unmounted: true });
  }, 120_000);

  it('of one after the other of two clients loses no request of those who ask the other one meanwhile', async () => {
    const targets = await Promise.all(
      Array.from({ length: WORKERS }, (_, index) => fleet.targets.s3(`rolling-${index}`)),
    );
    let isOver = false;
    let refused = 0;
    const work = async (target: S3Target, worker: number): Promise<number> => {
      const body = await fleet.targets.request(fleet.node.host, 100 + worker, target);
      const callers = fleet.clients.map(() => new Caller());
      let rounds = 0;
      let turn = worker;
      const ask = async (action: 'mount' | 'unmount'): Promise<void> => {
        for (;;) {
          const index = turn % callers.length;
          const reply = await callers[index]
            .send('POST', `${fleet.clients[index].url}/api/v1/${action}`, body)
            .catch((error: NodeJS.ErrnoException) => {
              // Refused, or reset while it waited to be accepted: nothing was sent.
              if (error.syscall !== 'connect') throw error;
              return null;
            });
          if (reply?.status === 200) return;
          // As a balancer does: the other one is asked, where this one has begun nothing.
          if (reply !== null) expect(reply).toMatchObject({ status: 503, body: { error_code: 'CLIENT_UNREACHABLE' } }); // prettier-ignore
          refused += 1;
          turn += 1;
        }
      };
      while (!isOver) {
        await ask('mount');
        await ask('unmount');
        rounds += 1;
      }
      for (const caller of callers) caller.close();
      return rounds;
    };
    const working = Promise.all(targets.map((target, worker) => work(target, worker)));
    const restarts = async (): Promise<void> => {
      for (const client of fleet.clients) {
        client.signal('SIGTERM');
        await exits(client);
        await client.stop();
        await client.start();
      }
    };
    try {
      await Promise.race([restarts(), working]);
    } finally {
      isOver = true;
    }
    expect(Math.min(...(await working))).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    const ids = targets.map(({ id }) => id);
    const of = `backup_target_id IN (${ids.map(() => '?').join(', ')})`;
    const open = await fleet.query(
      `SELECT id FROM mount_operations WHERE status <> 'success' AND ${of}`,
      ids,
    );
    const held = await fleet.query(
      `SELECT jobid FROM backup_target_mount_ledger WHERE state IN ('held', 'claimed') AND ${of}`,
      ids,
    );
    expect({ open, held }).toEqual({ open: [], held: [] });
  }, 240_000);
});
