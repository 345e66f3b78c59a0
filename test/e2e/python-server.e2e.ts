import { Fleet } from '../fleet/fleet';
import { PythonNode } from '../fleet/python-node';
import { describeOnRig } from './on-rig';

describeOnRig('dms-client with a Python server', (rig) => {
  let fleet: Fleet;
  let node: PythonNode;
  const target = {
    id: 'shared',
    secretRef: 'http://barbican:9311/v1/secrets/6f3a1b52-5a6e-4a3c-9a55-0d3f0f4c1f11',
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

  it('shows the node as legacy', async () => {
    const { body } = await fleet.api.get(`/api/v1/nodes/${node.host}`);
    expect(body).toMatchObject({ host: node.host, state: 'legacy', incarnation: null });
  });
});
