import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MountedAs } from '../fence/target-record';
import { type ProbeResult } from '../kernel/mount-probe.interface';
import { type MountEntry } from '../kernel/mount-table.interface';
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
    await new AdoptionService(
      settings,
      kernel,
      kernel,
      kernel,
      kernel,
      observations,
      fences,
      absence,
    ).adopt();
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

  describe('in a new mount namespace, where mounts have other ids', () => {
    const OLD = { mntId: 40, device: '0:41', fstype: 'fuse.s3fs', shownSource: 's3fs' };
    const remember = async (id: string, seen: Partial<MountedAs> = {}): Promise<string> => {
      const mountPath = join(base, id);
      await node.send(nfsCommand('mount', { id, path: mountPath, dms: node.envelope(1) }));
      node.kernel.unmountAt(mountPath);
      const remembered = { type: 's3', source: 'secret', mountPath, readOnly: false } as const;
      node.fences.remember(id, { mountedAs: { ...remembered, ...OLD, ...seen } });
      return mountPath;
    };
    const begin = async (): Promise<void> => {
      node.restart();
      await adopt();
    };
    afterEach(async () => {
      node.kernel.layers = [];
      node.kernel.probes.clear();
      node.s3.daemons.clear();
      await adopt();
    });

    it.each([
      ['whose daemon lives', {}, true, 'answers'],
      ['whose daemon went with its container', {}, false, 'dead'],
      ['that an earlier version remembered', { shownSource: undefined }, true, 'answers'],
    ] as const)(
      'takes up a mount %s, and the ledger knows it by its first id',
      async (_, seen, lives, kind) => {
        const mountPath = await remember('taken', seen);
        for (const mntId of [41, 42]) {
          node.kernel.unmountAt(mountPath);
          node.kernel.mountLayer(mountPath, 's3fs', { fstype: 'fuse.s3fs', device: '0:41', mntId });
          node.kernel.probes.set(mountPath, { kind, reason: 'not connected' });
          if (lives) node.s3.daemons.set('taken', 4711);
          await begin();
          expect(node.fences.recordOf('taken').mountedAs).toMatchObject({ mntId, firstMntId: 40 });
          expect(await node.observations.observe('taken')).toMatchObject({
            state: lives ? 'mounted' : 'broken',
            mnt_id: 40,
          });
        }
      },
    );

    it('takes up an NFS mount, and the ledger knows it by its first id', async () => {
      const id = 'export';
      await node.send(nfsCommand('mount', { id, path: join(base, id), dms: node.envelope(1) }));
      const [layer] = node.kernel.layers;
      node.kernel.layers = [{ ...layer, mntId: layer.mntId + 7 }];
      await begin();
      expect(await node.observations.observe(id)).toMatchObject({ state: 'mounted', mnt_id: layer.mntId });
    });

    it('knows by its own id an export that somebody mounted anew meanwhile', async () => {
      const id = 'anew';
      await node.send(nfsCommand('mount', { id, path: join(base, id), dms: node.envelope(1) }));
      const [layer] = node.kernel.layers;
      node.kernel.layers = [{ ...layer, mntId: layer.mntId + 7, device: '0:999' }];
      await begin();
      expect(await node.observations.observe(id)).toMatchObject({ mnt_id: layer.mntId + 7 });
    });

    it.each([
      ['of another device', { device: '0:42' }, true, 'answers'],
      ['of another source', { source: 'theirs' }, true, 'answers'],
      ['that somebody else serves', {}, false, 'answers'],
      ['that is silent and has no daemon', {}, false, 'silent'],
    ] as const)('leaves a mount %s', async (_, fields, lives, kind) => {
      const mountPath = await remember('left alone');
      const { source = 's3fs', ...others } = fields as Partial<MountEntry>;
      node.kernel.mountLayer(mountPath, source, {
        fstype: 'fuse.s3fs',
        device: '0:41',
        mntId: 41,
        ...others,
      });
      node.kernel.probes.set(mountPath, { kind, reason: '' } as ProbeResult);
      if (lives) node.s3.daemons.set('left alone', 4711);
      await begin();
      expect(node.fences.recordOf('left alone').mountedAs?.mntId).toBe(40);
    });
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
