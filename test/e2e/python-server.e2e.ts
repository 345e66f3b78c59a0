import { Fleet } from '../fleet/fleet';
import { PythonNode } from '../fleet/python-node';
import { describeOnRig } from './on-rig';

describeOnRig('dms-client with a Python server', (rig) => {
  let fleet: Fleet;
  let node: PythonNode;
  const target = {
    id: 'shared',
    secretRef: 'http://barbican:9311/v1/secrets/abc-123',
  };

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodes: 0 });
    node = new PythonNode(fleet.brokerUrl, `python-${fleet.directory.slice(-8)}`);
    await node.start();
  });
  afterAll(async () => {
    await node?.stop();
    await fleet?.stop();
  });

  const send = async (action: 'mount' | 'unmount', jobid: number) =>
    (await fleet.api.post(`/api/v1/${action}`, await fleet.targets.request(node.host, jobid, target))).body;

  it('mounts, shares, and unmounts with the last job', async () => {
    const path = '/var/lib/trilio/triliovault-mounts/shared';
    expect(await send('mount', 1)).toMatchObject({
      status: 'success',
      mount_path: path,
      reused_existing: false,
    });
    expect([...node.mounted]).toEqual([path]);
    expect(await send('mount', 2)).toMatchObject({ status: 'success', reused_existing: true });
    expect(await send('unmount', 1)).toMatchObject({ unmounted: false, active_mounts_remaining: 1 });
    expect([...node.mounted]).toEqual([path]);
    expect(await send('unmount', 2)).toMatchObject({ unmounted: true, active_mounts_remaining: 0 });
    expect([...node.mounted]).toEqual([]);
  });

  it('sends the job id where the old program reads it and where the seeds put it', () => {
    const mount = node.requests.find(({ action }) => action === 'mount');
    expect(mount).toMatchObject({
      jobid: 1,
      job: { jobid: 1 },
      host: node.host,
      backup_target: { id: 'shared', type: 's3' },
    });
    expect(mount).not.toHaveProperty('dms');
  });

  it('sends the request as its caller made it', async () => {
    const request = await fleet.targets.request(node.host, 12345, target);
    const details = [{ id: 'vm-detail-1', data: { vm_id: 'vm-001', vm_name: 'web-server' } }];
    const job = { ...(request.job as object), progress: 40, parent_jobid: 12000, job_details: details };
    const body = { ...request, job, action: 'mount' };
    const answer = await fleet.api.post('/api/v1/mount', body);
    expect(answer.body).toMatchObject({ status: 'success' });
    const path = '/var/lib/trilio/triliovault-mounts/shared';
    const sent = { ...body, jobid: 12345, backup_target: { ...(request.backup_target as object), filesystem_export_mount_path: path } }; // prettier-ignore
    expect(node.requests.findLast(({ action }) => action === 'mount')).toEqual(sent);
    const [operation] = await fleet.query<{ request_data: string }>(
      'SELECT request_data FROM mount_operations WHERE id = ?',
      [String(answer.body.operation_id)],
    );
    expect(JSON.parse(operation.request_data)).toEqual({ ...body, keystone_token: '***' });
    expect(await send('unmount', 12345)).toMatchObject({ unmounted: true });
  });

  it.each([
    [502, 'SECRET_UNAVAILABLE', 'Failed to fetch credentials: HTTPConnectionPool: Max retries exceeded'],
    [401, 'AUTH_EXPIRED', 'Failed to fetch credentials: 401 Client Error: Unauthorized'],
    [403, 'FORBIDDEN', 'Failed to fetch credentials: 403 Client Error: Forbidden'],
    [502, 'MOUNT_FAILED', 'Mount failed: mount.nfs: access denied by server'],
  ])('answers %i %s where the Python server says %s', async (status, code, words) => {
    const request = await fleet.targets.request(node.host, 7, target);
    node.mountError = words;
    try {
      const answer = await fleet.api.post('/api/v1/mount', request);
      expect(answer).toMatchObject({ status, body: { error_code: code, error_msg: words } });
    } finally {
      node.mountError = null;
    }
    expect((await fleet.api.post('/api/v1/mount', request)).status).toBe(200);
    expect(await send('unmount', 7)).toMatchObject({ unmounted: true });
  });

  it('is named by a comparison as what could not be compared, with hosts that only the ledger knows', async () => {
    await fleet.query(
      `INSERT INTO backup_target_mount_ledger (jobid, backup_target_id, host, mounted, state)
       VALUES (99, 'nowhere', 'never-heard', TRUE, 'held')`,
    );
    const { body } = await fleet.api.post('/api/v1/admin/reconcile', { dry_run: true });
    expect(body).toMatchObject({
      hosts: [],
      success_msg: expect.stringMatching(/^0 of 2 node\(s\) compared, .*; not compared: /) as unknown,
      not_compared: expect.arrayContaining([
        { host: node.host, reason: expect.stringContaining('Python server') as unknown },
        { host: 'never-heard', reason: expect.stringContaining('was ever heard of') as unknown },
      ]) as unknown,
    });
    const one = await fleet.api.post('/api/v1/admin/reconcile', { host: node.host });
    expect(one).toMatchObject({ status: 200, body: { hosts: [], not_compared: [{ host: node.host }] } });
  });

  it('says that the mount was gone where the Python server had nothing to unmount', async () => {
    expect(await send('mount', 8)).toMatchObject({ status: 'success' });
    node.mounted.clear();
    expect(await send('unmount', 8)).toMatchObject({
      ...{ status: 'success', unmounted: false, physically_mounted: false, active_mounts_remaining: 0 },
      success_msg: expect.stringMatching(/^Target not mounted at /) as unknown,
    });
  });

  it('shows the node as legacy', async () => {
    const { body } = await fleet.api.get(`/api/v1/nodes/${node.host}`);
    expect(body).toMatchObject({ host: node.host, state: 'legacy', incarnation: null });
  });
});
