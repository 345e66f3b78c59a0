import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { PROGRAMS } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { WireClient } from '../fleet/wire-client';
import { type CommandResult, runCommand, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const SETTINGS = { DMS_RECONCILE_INTERVAL: '1', DMS_SETTLE_INTERVAL: '0.5' };
/** Hellos come every two seconds. */
const HEARD_MS = 18_000;
const TAKEN_MS = 60_000;

interface Report {
  readonly differences: unknown[];
  readonly unreachable: { host: string; error_code: string; error_msg: string }[];
}

describeOnRig('two ledgers on one broker', (rig) => {
  let first: Fleet;
  /** Clients with another database, and no nodes of their own. */
  let second: Fleet;
  let jobs: Jobs;
  let host: string;

  beforeAll(async () => {
    first = await Fleet.start(rig, { clientSettings: SETTINGS });
    second = await Fleet.start(rig, { nodes: 0, clientSettings: SETTINGS });
    ({ host } = first.node);
    jobs = new Jobs(first);
    await first.acquainted();
  });
  /** A case that failed leaves the node to the next one. */
  afterEach(async () => {
    await Promise.all([first, second].map((fleet) => fleet.api.delete('/api/v1/jobs/1/bindings')));
    await second.api.delete('/api/v1/jobs/9/bindings');
  });
  afterAll(async () => {
    await second?.stop();
    await first?.stop();
  });

  const ledgerOf = async (fleet: Fleet): Promise<string> =>
    (await fleet.query<{ id: string }>('SELECT ledger_id AS id FROM ledger_identity'))[0]?.id;
  const mounted = async (name: string, jobid = 1): Promise<{ target: S3Target; path: string }> => {
    const target = await first.targets.s3(name);
    await first.targets.store.putObject(target.bucket, 'marker', 'what the job reads');
    const { body } = await jobs.mount(jobid, target);
    expect(body).toMatchObject({ status: 'success' });
    return { target, path: String(body.mount_path) };
  };
  /** A request of a job of the second ledger. */
  const ask = (action: 'mount' | 'unmount', jobid: number, target: S3Target) =>
    jobs[action](jobid, target, { client: second.clients[0] });
  /** The second ledger has heard that the node serves the first one (or, null, none of others). */
  const heard = async (ledger: string | null): Promise<void> => {
    const isHeard = async (): Promise<boolean> => {
      const { body } = await second.api.get<{ nodes: { host: string; other_ledger: string | null }[] }>(
        '/api/v1/nodes',
      );
      return body.nodes.some((node) => node.host === host && node.other_ledger === ledger);
    };
    const what = `the second ledger to hear that ${host} serves ${ledger ?? 'nobody'}`;
    await waitFor(isHeard, { timeoutMs: HEARD_MS, what });
  };
  const dms = (...args: string[]): Promise<CommandResult> =>
    runCommand(process.execPath, [PROGRAMS.cli, ...args], {
      timeoutMs: 60_000,
      environment: second.clients[0].environment,
      expected: [1, 75],
    });
  const untouched = async (held: { target: S3Target; path: string }, id: string): Promise<void> => {
    expect(mountsBelow(held.path).map((line) => line.split(' ')[0])).toEqual([id]);
    expect(readFileSync(join(held.path, 'marker'), 'utf8')).toBe('what the job reads');
    expect(await jobs.binding(1, held.target.id)).toBe('held');
    expect(await jobs.target(held.target.id)).toMatchObject({ state: 'MOUNTED' });
  };
  const released = async (fleet: Fleet, jobid: number, target: S3Target): Promise<void> => {
    const { body } = await jobs.unmount(jobid, target, { client: fleet.clients[0] });
    expect(body).toMatchObject({ status: 'success', unmounted: true });
  };

  it('leaves what the first one holds as it is, whatever the second one tries, and says what is wrong', async () => {
    const held = await mounted('held');
    const [id] = mountsBelow(held.path).map((line) => line.split(' ')[0]);
    const ours = await ledgerOf(first);
    await heard(ours);

    for (const target of [held.target, await first.targets.s3('other')]) {
      const { status, body } = await ask('mount', 9, target);
      expect({ status, ...body }).toMatchObject({ status: 'error', error_code: 'CONFLICT' });
      expect(body.error_msg).toContain('Check DMS_DB_URL of this dms-client');
    }
    expect((await ask('unmount', 1, held.target)).body).toMatchObject({ unmounted: false, error_code: null });

    const { body: report } = await second.api.post<Report>('/api/v1/admin/reconcile', { host });
    expect(report).toMatchObject({ differences: [], unreachable: [{ host, error_code: 'CONFLICT' }] });
    const reconciled = await dms('reconcile', '--host', host);
    expect(reconciled).toMatchObject({ status: 75 });
    expect(reconciled.stderr).toContain(`the node serves the ledger ${ours}`);
    expect((await dms('cleanup', '--held', '--hours', '0.0001')).status).toBe(0);
    expect((await dms('nodes', host)).stdout).toContain(ours);
    expect((await first.api.get(`/api/v1/nodes/${host}`)).body).toMatchObject({
      other_ledger: null,
      differences: [],
    });
    await untouched(held, id);

    // A command that no hello has kept back is refused by the node itself; one without a ledger's id is obeyed.
    const wire = await WireClient.open(first.brokerUrl, host);
    try {
      const { epoch = 0 } = (await jobs.target(held.target.id)) ?? {};
      const { body: node } = await first.api.get(`/api/v1/nodes/${host}`);
      const command = async (action: string, above: number, ledger?: string) => ({
        ...(await first.targets.request(host, 1, held.target, { filesystem_export_mount_path: held.path })),
        action,
        dms: {
          ...{ protocol: 1, incarnation: node.incarnation, epoch: epoch + above, deadline_ms: 30_000 },
          ...{ operation_id: randomUUID(), ledger },
        },
      });
      const theirs = await ledgerOf(second);
      for (const action of ['mount', 'unmount', 'fence']) {
        expect((await wire.call(await command(action, 5, theirs))).body).toMatchObject({
          ...{ status: 'error', error_code: 'CONFLICT', acted: false, epoch, ledger: ours },
        });
      }
      await untouched(held, id);
      expect((await wire.call(await command('mount', 1))).body).toMatchObject({
        success_msg: `Already mounted at ${held.path}`,
      });
    } finally {
      await wire.close();
    }
    await released(first, 1, held.target);
  });

  it('lets the second one use the node after the last unmount of the first, and the first one after that', async () => {
    const theirs = await ledgerOf(second);
    const { target } = await mounted('turns');
    await released(first, 1, target);
    await heard(null);
    expect((await ask('mount', 9, target)).body).toMatchObject({ status: 'success' });
    const refused = await jobs.mount(1, target);
    expect(refused.body).toMatchObject({ status: 'error', error_code: 'CONFLICT' });
    expect(refused.body.error_msg).toContain(theirs);
    await released(second, 9, target);
    await waitFor(async () => (await jobs.mount(1, target)).body.status === 'success', {
      timeoutMs: HEARD_MS,
      intervalMs: 500,
      what: 'the first ledger to have the node again',
    });
    await released(first, 1, target);
  });

  it('gives the node to the second one while something is mounted, where an operator has the first forgotten', async () => {
    const held = await mounted('given');
    const ours = await ledgerOf(first);
    await heard(ours);
    await first.clients[0].stop();
    const { stdout } = await runCommand(process.execPath, [PROGRAMS.server, 'forget-ledger'], {
      timeoutMs: 30_000,
      environment: first.node.environment,
    });
    expect(stdout).toContain(`The ledger ${ours} is forgotten`);
    expect(stdout).toContain('1 mount(s)');
    // Its reconciler finds a mount that it does not know, and that nobody uses.
    await waitFor(() => mountsBelow(held.path).length === 0, {
      timeoutMs: TAKEN_MS,
      what: 'the mount to be taken away by the second ledger',
    });
    // The node keeps its keys, of which both ledgers know.
    await first.node.stop();
    await first.node.start();
    // The first one, come back, tells its job.
    await first.clients[0].start();
    await waitFor(async () => (await jobs.binding(1, held.target.id)) === 'lost', {
      timeoutMs: TAKEN_MS,
      what: 'the job to be told',
    });
    for (const { api } of [first, second]) {
      const { body } = await api.get(`/api/v1/nodes/${host}`);
      expect(body).toMatchObject({ state: 'up', refused_key_id: null, other_ledger: null });
    }
  });
});
