import { DmsError } from '@app/contracts';
import { BASE, nfsCommand, TestNode } from '../testing/test-node';

const PATH = `${BASE}/t1`;

describe('mount', () => {
  let node: TestNode;
  const mount = (epoch: number, fields: Parameters<typeof nfsCommand>[1] = {}) =>
    node.send(nfsCommand('mount', { dms: node.envelope(epoch), ...fields }));

  beforeEach(() => {
    node = new TestNode();
  });

  afterEach(() => {
    node.remove();
  });

  it('mounts on a guarded directory and says what it saw', async () => {
    const result = await mount(1);
    expect(result).toMatchObject({
      status: 'success',
      success_msg: `NFS target mounted successfully at ${PATH}`,
      mountPath: PATH,
      epoch: 1,
      acted: true,
      mount: {
        state: 'mounted',
        mounted: true,
        layers: 1,
        source: 'server:/export',
        fstype: 'nfs4',
        epoch: 1,
      },
    });
    expect(node.kernel.log).toEqual([`prepare ${PATH}`, `mount t1 at ${PATH}`]);
    expect(node.fences.recordOf('t1')).toMatchObject({
      epoch: 1,
      outcome: { status: 'success' },
      mountedAs: { mountPath: PATH, source: 'server:/export', mntId: result.mount?.mnt_id },
      legacyHolders: [],
      epochHolder: true,
    });
  });

  it('remembers what it is about to mount before it begins', async () => {
    node.nfs.pause = () => {
      expect(node.fences.recordOf('t1').mountedAs).toMatchObject({ mountPath: PATH, mntId: null });
      return Promise.resolve();
    };
    await mount(1);
    expect.assertions(1);
  });

  it('finds its own mount and does not mount again', async () => {
    await mount(1);
    node.restart();
    await expect(mount(2)).resolves.toMatchObject({
      status: 'success',
      success_msg: `Already mounted at ${PATH}`,
      epoch: 2,
    });
    expect(node.kernel.layers).toHaveLength(1);
  });

  it.each([
    ['another path', { path: `${BASE}/elsewhere` }],
    ['another source', { export: 'server:/other' }],
    ['another mode', { readOnly: true }],
  ])('refuses %s than the one it is mounted with', async (_what, fields) => {
    await mount(1);
    await expect(mount(2, fields)).resolves.toMatchObject({
      error_code: 'CONFLICT',
      acted: false,
      mount: { state: 'mounted' },
    });
  });

  it.each([
    ['at the path', PATH],
    ['below it', `${PATH}/below`],
    ['above it', `${BASE}/above`, `${BASE}/above/t1`],
  ])("never counts a stranger's mount %s as success", async (_what, strange, path: string = PATH) => {
    node.kernel.mountLayer(strange, 'server:/export');
    await expect(mount(1, { path })).resolves.toMatchObject({ error_code: 'CONFLICT', acted: false });
    expect(node.kernel.log).toEqual([]);
  });

  it.each([
    ['at the path', `${BASE}/private-t9`],
    ['below it', `${BASE}/private-t9/deeper`],
    ['above it', `${BASE}`],
  ])('does not tell who asks for a path %s of what is in the way', async (_what, asked) => {
    await mount(1, { id: 'private-t9', path: `${BASE}/private-t9` });
    node.kernel.mountLayer(`${BASE}/private-t9/layer`, 'server:/secret');
    const { error_code, error_msg } = await mount(1, { id: 't2', path: asked });
    expect(error_code).toMatch(/CONFLICT|VALIDATION_FAILED/);
    expect(String(error_msg).replaceAll(asked, '')).not.toMatch(/private-t9|layer|secret/);
  });

  it('does not mount two targets on one path, not even at the same time', async () => {
    const results = await Promise.all([mount(1, { path: PATH }), mount(1, { id: 't2', path: PATH })]);
    expect(results.map(({ error_code }) => error_code)).toEqual([null, 'CONFLICT']);
    expect(node.kernel.layers).toHaveLength(1);
  });

  it('takes the path of a target whose mount somebody else took away', async () => {
    await mount(1, { id: 't2', path: PATH });
    node.kernel.unmountAt(PATH);
    await expect(mount(1, { path: PATH })).resolves.toMatchObject({ status: 'success' });
    expect(node.fences.recordOf('t2').mountedAs).toBeNull();
  });

  it('refuses a path outside of its bases', async () => {
    await expect(mount(1, { path: '/etc/t1' })).resolves.toMatchObject({
      error_code: 'VALIDATION_FAILED',
      error_msg: expect.stringContaining('filesystem_export_mount_path') as string,
      acted: false,
    });
  });

  it('refuses a broken layer of its own, and stacked ones by their number', async () => {
    await mount(1);
    node.kernel.probes.set(PATH, { kind: 'dead', reason: 'ESTALE' });
    await expect(mount(2)).resolves.toMatchObject({ error_code: 'MOUNT_FAILED', mount: { state: 'broken' } });
    node.kernel.mountLayer(PATH, 'server:/export');
    await expect(mount(3)).resolves.toMatchObject({
      error_code: 'CONFLICT',
      error_msg: `2 layers are mounted at ${PATH}`,
    });
  });

  it('leaves nothing, and says so, where the program failed', async () => {
    node.nfs.mountError = new DmsError('MOUNT_FAILED', 'mount.nfs: access denied');
    await expect(mount(1)).resolves.toMatchObject({
      error_code: 'MOUNT_FAILED',
      error_msg: 'mount.nfs: access denied',
      mount: { state: 'absent', mounted: false, children_left: 0 },
    });
    expect(node.kernel.log).toContain(`remove later ${PATH}`);
    expect(node.fences.recordOf('t1')).toMatchObject({
      mountedAs: null,
      epochHolder: false,
      outcome: { error_code: 'MOUNT_FAILED' },
    });
  });

  it('knows how a time-out ended that left nothing', async () => {
    node.nfs.mountError = new DmsError('TIMEOUT', 'took too long');
    await expect(mount(1)).resolves.toMatchObject({ error_code: 'MOUNT_FAILED', mount: { state: 'absent' } });
  });

  it('is uncertain while a child may still mount', async () => {
    node.nfs.mountError = new DmsError('TIMEOUT', 'took too long');
    node.nfs.pause = () => {
      node.kernel.left.set('t1', 1);
      return Promise.resolve();
    };
    await expect(mount(1)).resolves.toMatchObject({
      error_code: 'TIMEOUT',
      acted: true,
      mount: { state: 'unknown', children_left: 1 },
    });
    expect(node.fences.recordOf('t1')).toMatchObject({ outcome: null, mountedAs: { mountPath: PATH } });
  });

  it('says what stands where a mount failed half-way', async () => {
    node.nfs.mountError = new DmsError('MOUNT_FAILED', 'no answer');
    node.nfs.leaveLayer = true;
    await expect(mount(1)).resolves.toMatchObject({
      error_code: 'MOUNT_FAILED',
      mount: { state: 'mounted', mounted: true },
    });
    expect(node.fences.recordOf('t1').mountedAs).not.toBeNull();
  });

  it('calls a FUSE mount broken whose daemon is gone', async () => {
    const s3 = {
      action: 'mount',
      job: { jobid: 1 },
      host: 'node-1',
      keystone_token: 'token',
      backup_target: {
        id: 's',
        type: 's3',
        secret_ref: 'http://b/v1/secrets/6f3a1b52-5a6e-4a3c-9a55-0d3f0f4c1f11',
      },
    };
    const result = await node.send({ ...s3, dms: node.envelope(1) });
    expect(result).toMatchObject({
      success_msg: `S3 target mounted successfully at ${BASE}/s`,
      mount: { pid: 4711 },
    });
    node.s3.daemons.clear();
    await expect(node.send({ ...s3, dms: node.envelope(2) })).resolves.toMatchObject({
      mount: { state: 'broken' },
    });
  });
});
