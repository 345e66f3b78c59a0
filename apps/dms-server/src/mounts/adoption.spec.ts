import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nfsCommand, TestNode } from '../testing/test-node';
import { AbsenceService } from './absence.service';
import { AdoptionService } from './adoption.service';

describe('AdoptionService', () => {
  const base = mkdtempSync(join(tmpdir(), 'dms-base-'));
  const node = new TestNode({ DMS_MOUNT_BASE: base });
  const asRoot = process.getuid?.() === 0 ? it : it.skip;

  const adopt = async (): Promise<void> => {
    const { settings, kernel, observations, fences } = node;
    const absence = new AbsenceService(kernel, observations, fences);
    await new AdoptionService(settings, kernel, kernel, kernel, observations, fences, absence).adopt();
  };

  afterAll(() => {
    node.remove();
    rmSync(base, { recursive: true });
  });

  it('takes up what stands without looking into it, and forgets what is gone', async () => {
    for (const id of ['stands', 'gone']) {
      await node.send(nfsCommand('mount', { id, dms: node.envelope(1) }));
      const { mountedAs } = node.fences.recordOf(id);
      if (mountedAs !== null) node.fences.remember(id, { mountedAs: { ...mountedAs, mntId: null } });
    }
    node.kernel.unmountAt(join(base, 'gone'));
    node.kernel.left.set('stands', 1);
    node.kernel.log.length = 0;
    node.restart();
    await adopt();
    expect(node.fences.recordOf('stands').mountedAs?.mntId).toBe(node.kernel.layers[0].mntId);
    expect(node.fences.recordOf('gone')).toMatchObject({ mountedAs: null, epoch: 1 });
    expect(node.kernel.log).toEqual([`remove later ${base}/gone`, 'clear gone']);
    expect(node.kernel.left.size).toBe(0);
  });

  it.each([
    ['takes up', 'a mount whose id is another in a new mount namespace', '0:41', true, 41],
    ['leaves', 'a mount of another device', '0:42', true, 40],
    ['leaves', 'a mount whose daemon is gone', '0:41', false, 40],
  ])('%s %s', async (_does, what, device, alive, expected) => {
    const mountPath = join(base, what);
    await node.send(nfsCommand('mount', { id: what, path: mountPath, dms: node.envelope(1) }));
    node.kernel.unmountAt(mountPath);
    const fields = { fstype: 'fuse.s3fs', device, mntId: 41 };
    node.kernel.mountLayer(mountPath, 'TrilioVault', fields);
    const remembered = { type: 's3', source: 'secret', mountPath, readOnly: false } as const;
    const mountedAs = { ...remembered, mntId: 40, device: '0:41', fstype: 'fuse.s3fs' };
    node.fences.remember(what, { mountedAs });
    if (alive) node.s3.daemons.set(what, 4711);
    node.restart();
    await adopt();
    expect(node.fences.recordOf(what).mountedAs?.mntId).toBe(expected);
    node.kernel.unmountAt(mountPath);
    node.s3.daemons.delete(what);
    await adopt();
  });

  asRoot('clears guarded directories away that were left behind, and nothing else', async () => {
    for (const [name, mode] of [
      ['left', 0],
      ['ordinary', 0o755],
      ['mounted', 0],
    ] as const) {
      mkdirSync(join(base, name));
      chmodSync(join(base, name), mode);
    }
    node.kernel.mountLayer(join(base, 'mounted'), 'server:/strange');
    node.kernel.log.length = 0;
    await adopt();
    expect(node.kernel.log).toEqual([`remove later ${base}/left`]);
  });
});
