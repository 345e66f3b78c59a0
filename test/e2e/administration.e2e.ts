import { Fleet } from '../fleet/fleet';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

describeOnRig('what operators do', (rig) => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodes: 2, clientSettings: { DMS_SETTLE_INTERVAL: '0' } });
    await fleet.acquainted();
  });
  afterAll(() => fleet?.stop());

  it('drains a node: what is held stays, nothing new is let on, until it is allowed again', async () => {
    const { host } = fleet.node;
    const target = await fleet.targets.s3('drain');
    const held = await fleet.targets.request(host, 1, target);
    await fleet.api.post('/api/v1/mount', held);
    expect((await fleet.api.post(`/api/v1/nodes/${host}/drain`, {})).body).toMatchObject({
      host,
      state: 'draining',
    });
    const refused = await fleet.api.post('/api/v1/mount', await fleet.targets.request(host, 2, target));
    expect(refused.body.error_code).toBe('BUSY');
    // Its answer may have been lost: it is told what it has.
    expect((await fleet.api.post('/api/v1/mount', held)).body).toMatchObject({
      ...{ status: 'success', physically_mounted: true, reused_existing: true },
    });
    expect((await fleet.api.post('/api/v1/unmount', held)).body).toMatchObject({ unmounted: true });
    await fleet.api.post(`/api/v1/nodes/${host}/drain`, { draining: false });
    expect((await fleet.api.post('/api/v1/mount', held)).body.status).toBe('success');
    await fleet.api.post('/api/v1/unmount', held);
  });

  it('forgets a node only with the word that it is off, and when it is silent', async () => {
    const node = fleet.nodes[1];
    const target = await fleet.targets.s3('forget');
    const empty = await fleet.targets.s3('forget-empty');
    for (const jobid of [1, 2])
      await fleet.api.post('/api/v1/mount', await fleet.targets.request(node.host, jobid, target));
    expect((await fleet.api.post(`/api/v1/nodes/${node.host}/forget`, {})).body.error_code).toBe(
      'VALIDATION_FAILED',
    );
    expect(
      (await fleet.api.post(`/api/v1/nodes/${node.host}/forget`, { fenced: true })).body.error_code,
    ).toBe('CONFLICT');
    await node.stop();
    // A mount that nobody holds: its last job has left while the node was away.
    await fleet.query(
      `INSERT INTO target_mounts (host, backup_target_id, state, epoch, mount_path, type)
       VALUES (?, ?, 'UNCERTAIN', 3, '/base/empty', 's3')`,
      [node.host, empty.id],
    );
    await waitFor(
      async () =>
        (await fleet.api.post(`/api/v1/nodes/${node.host}/forget`, { fenced: true })).status === 200,
      { timeoutMs: 30_000, what: 'the node to be silent and forgotten' },
    );
    const { body } = await fleet.api.get(`/api/v1/bindings/1/${target.id}`);
    expect(body).toMatchObject({ state: 'lost', mount_state: 'ABSENT' });
    const recorded = await fleet.query<{ target: string; jobid: string | null; success_msg: string }>(
      `SELECT backup_target_id AS target, jobid, success_msg FROM mount_operations
       WHERE host = ? AND action = 'reconcile' AND status = 'success' ORDER BY jobid`,
      [node.host],
    );
    const jobs = recorded.map(({ target: id, jobid }) => [id, jobid === null ? null : Number(jobid)]);
    expect(jobs).toEqual([
      [empty.id, null],
      [target.id, 1],
      [target.id, 2],
    ]);
    for (const { success_msg } of recorded) {
      expect(success_msg).toContain(
        `given up: an operator has said that node "${node.host}" is off for good`,
      );
    }
  });

  it('shows the locks, and takes one away', async () => {
    const target = await fleet.targets.s3('locks');
    await fleet.api.post('/api/v1/mount', await fleet.targets.request(fleet.node.host, 1, target));
    await fleet.query(
      `UPDATE target_mounts SET lease_token = UUID(), lease_owner = 'elsewhere:1', lease_expires_at = NOW(6) + INTERVAL 1 HOUR
       WHERE backup_target_id = ?`,
      [target.id],
    );
    const lock = { host: fleet.node.host, backup_target_id: target.id, owner: 'elsewhere:1', expired: false };
    expect((await fleet.api.get('/api/v1/admin/locks')).body).toMatchObject({ locks: [lock] });
    const path = `/api/v1/admin/locks/${fleet.node.host}/${target.id}`;
    expect((await fleet.api.delete(path)).body).toEqual({ locks: [] });
    expect((await fleet.api.delete(path)).body.error_code).toBe('NOT_FOUND');
    const unmounted = await fleet.api.post(
      '/api/v1/unmount',
      await fleet.targets.request(fleet.node.host, 1, target),
    );
    expect(unmounted.body).toMatchObject({ unmounted: true });
  });
});
