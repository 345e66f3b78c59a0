import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asNodeEvent, type NodeEvent } from '@app/contracts';
import { type MountedAs } from '../fence/target-record';
import { type MountEntry } from '../kernel/mount-table.interface';
import { type ProcessIdentity } from '../processes/process-identity';
import { TroubledMounts } from '../hello/troubled-mounts';
import { BASE, BOOT, NODE, nfsCommand, TestNode } from '../testing/test-node';
import { MountDoubts } from './mount-doubts';
import { WatchService } from './watch.service';

const GOLDEN = join(__dirname, '../../../../libs/contracts/golden/event.json');

/** FUSE daemons that tests kill. */
class FakeDaemons {
  readonly dead = new Set<number>();
  /** Those that are not the first of their target. */
  readonly pids = new Map<string, number>();
  looks = 0;

  identityOf(targetId: string): Promise<ProcessIdentity> {
    return Promise.resolve({ pid: this.pids.get(targetId) ?? pidOf(targetId), startTime: 1, bootId: BOOT });
  }

  lives({ pid }: ProcessIdentity): Promise<boolean> {
    this.looks += 1;
    return Promise.resolve(!this.dead.has(pid));
  }

  cpuTicksOf(): Promise<number> {
    return Promise.resolve(0);
  }
}

function pidOf(targetId: string): number {
  return 1_000 + Number(targetId.slice(1));
}

describe('the watch', () => {
  let node: TestNode;
  let daemons: FakeDaemons;
  let said: NodeEvent[];
  let brokerIsAway: boolean;
  let watch: WatchService;
  let doubts: MountDoubts;
  let troubled: TroubledMounts;

  beforeEach(() => {
    node = new TestNode();
    begin();
  });
  afterEach(() => node.remove());

  function begin(): void {
    daemons = new FakeDaemons();
    said = [];
    brokerIsAway = false;
    const announcer = {
      publish: (key: string, body: object): Promise<void> => {
        if (brokerIsAway) return Promise.reject(new Error('away'));
        const event = asNodeEvent(body);
        if (event === null) throw new Error('What was published is no event');
        expect(key).toBe(`event.${event.event}.${event.node}`);
        said.push(event);
        return Promise.resolve();
      },
    };
    const { settings, kernel, fences, queues } = node;
    const changes = { begin: () => undefined, end: () => undefined };
    const ends = { begin: () => Promise.resolve(), end: () => undefined };
    doubts = new MountDoubts();
    troubled = new TroubledMounts();
    watch = new WatchService(
      settings,
      kernel,
      daemons,
      fences,
      queues,
      node.hung,
      doubts,
      troubled,
      changes,
      ends,
      announcer,
    );
  }

  /** A mount that is remembered and stands. */
  function mounted(targetId: string, fstype = 'fuse.s3fs'): MountEntry {
    const mountPath = `${BASE}/${targetId}`;
    const layer = node.kernel.mountLayer(mountPath, 'source', { fstype });
    remember(targetId, layer);
    return layer;
  }

  function remember(targetId: string, { mntId, device, fstype, mountPath }: MountEntry): void {
    const mountedAs: MountedAs = {
      type: 's3',
      source: 'source',
      mountPath,
      readOnly: false,
      mntId,
      device,
      fstype,
    };
    node.fences.remember(targetId, { mountedAs });
  }

  const kinds = (): string[] => said.map(({ event }) => event);

  it('says nothing of what is well when it begins', async () => {
    mounted('t1');
    mounted('t2', 'nfs4');
    await watch.look();
    await watch.look();
    expect(said).toEqual([]);
  });

  it('says once that a mount vanished, with the memory and the epoch for which it was made', async () => {
    await node.send(nfsCommand('mount', { dms: node.envelope(3) }));
    const { mntId } = node.kernel.layers[0];
    await watch.look();
    node.kernel.unmountAt(`${BASE}/t1`);
    await watch.look();
    await watch.look();
    expect(said).toEqual([
      {
        event: 'vanished',
        node: NODE,
        incarnation: node.fences.incarnation,
        epoch: 3,
        mnt_id: mntId,
        backup_target_id: 't1',
        mount_path: `${BASE}/t1`,
        at: expect.any(String) as string,
      },
    ]);
  });

  it('says it of a mount that was replaced, also by one with the same id', async () => {
    const one = mounted('t1');
    const two = mounted('t2');
    await watch.look();
    node.kernel.layers = [];
    node.kernel.mountLayer(one.mountPath, 'another');
    node.kernel.mountLayer(two.mountPath, 'another', { mntId: two.mntId, device: '0:999' });
    await watch.look();
    expect(kinds()).toEqual(['vanished', 'vanished']);
  });

  it('says that a daemon died whose mount still stands in the table, also if it did before the start', async () => {
    mounted('t1');
    mounted('t2');
    daemons.dead.add(pidOf('t2'));
    await watch.look();
    expect(said).toMatchObject([{ event: 'broken', backup_target_id: 't2' }]);
    daemons.dead.add(pidOf('t1'));
    await watch.look();
    await watch.look();
    expect(said.slice(1)).toMatchObject([{ event: 'broken', backup_target_id: 't1' }]);
  });

  it('does not take a mount for broken that was made anew with the same ids and another daemon', async () => {
    for (const id of ['t1', 't2']) mounted(id);
    await watch.look();
    // As a Python program does within a second: no epoch changes, and the kernel gives the same id again.
    daemons.dead.add(pidOf('t1'));
    daemons.dead.add(pidOf('t2'));
    daemons.pids.set('t1', 2_001);
    await watch.look();
    expect(said).toMatchObject([{ event: 'broken', backup_target_id: 't2' }]);
    daemons.dead.add(2_001);
    await watch.look();
    expect(said.slice(1)).toMatchObject([{ event: 'broken', backup_target_id: 't1' }]);
  });

  it('names a mount by the id by which the ledger knows it', async () => {
    const { mntId } = mounted('t1');
    const { mountedAs } = node.fences.recordOf('t1');
    if (mountedAs === null) throw new Error('t1 is not remembered');
    node.fences.remember('t1', { mountedAs: { ...mountedAs, firstMntId: 7 } });
    await watch.look();
    expect(said).toEqual([]);
    node.kernel.layers = node.kernel.layers.filter((layer) => layer.mntId !== mntId);
    await watch.look();
    expect(said).toMatchObject([{ event: 'vanished', mnt_id: 7 }]);
  });

  it('says that a daemon hangs, and when it does no longer', async () => {
    mounted('t1');
    await watch.look();
    node.hung.add('t1', pidOf('t1'));
    await watch.look();
    await watch.look();
    node.hung.delete('t1');
    await watch.look();
    expect(kinds()).toEqual(['broken', 'mounted']);
  });

  it('says that a mount without a daemon gives no answer, and when it does again', async () => {
    const { mntId } = mounted('t1', 'nfs4');
    await watch.look();
    doubts.add('t1', mntId + 1);
    await watch.look();
    expect(kinds()).toEqual([]);
    doubts.add('t1', mntId);
    await watch.look();
    await watch.look();
    doubts.delete('t1');
    await watch.look();
    expect(kinds()).toEqual(['broken', 'mounted']);
  });

  it('says that another layer hides a mount, and when it does no longer', async () => {
    const layer = mounted('t1', 'nfs4');
    await watch.look();
    node.kernel.mountLayer(layer.mountPath, 'stranger');
    await watch.look();
    node.kernel.layers.pop();
    await watch.look();
    expect(kinds()).toEqual(['broken', 'mounted']);
  });

  it('tells what commands did', async () => {
    await watch.look();
    await node.send(nfsCommand('mount', { dms: node.envelope(1) }));
    await watch.look();
    await node.send(nfsCommand('unmount', { dms: node.envelope(2) }));
    await watch.look();
    await watch.look();
    expect(said.map(({ event, epoch }) => `${event} ${epoch}`)).toEqual(['mounted 1', 'unmounted 2']);
    expect(said[0].mnt_id).toBe(said[1].mnt_id);
  });

  it('says nothing of a target while a command of it is in the queue', async () => {
    const layer = mounted('t1');
    await watch.look();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const command = node.queues.run('t1', () => held);
    node.kernel.unmountAt(layer.mountPath);
    await watch.look();
    expect(said).toEqual([]);
    release();
    await command;
    await watch.look();
    expect(kinds()).toEqual(['vanished']);
  });

  it('is not misled by a command that came and ended while it looked', async () => {
    const layer = mounted('t1');
    await watch.look();
    const read = node.kernel.read.bind(node.kernel);
    node.kernel.read = async () => {
      node.kernel.unmountAt(layer.mountPath);
      const older = await read();
      remember('t1', node.kernel.mountLayer(layer.mountPath, 'source', { fstype: 'fuse.s3fs' }));
      return older;
    };
    await watch.look();
    expect(said).toEqual([]);
  });

  it('says later what the broker did not take, if it is still true', async () => {
    const layers = ['t1', 't2'].map((targetId) => mounted(targetId, 'nfs4'));
    await watch.look();
    brokerIsAway = true;
    for (const { mountPath } of layers) node.kernel.unmountAt(mountPath);
    await expect(watch.look()).rejects.toThrow('away');
    node.kernel.layers = [layers[1]];
    brokerIsAway = false;
    await watch.look();
    expect(said).toMatchObject([{ event: 'vanished', backup_target_id: 't1' }]);
  });

  it('has hellos repeat what is wrong while it is so, also where the broker did not take the event', async () => {
    const vanishes = mounted('t1', 'nfs4');
    const { mntId } = mounted('t2');
    await watch.look();
    const named = (): object[] => troubled.forHello(() => true);
    expect(named()).toEqual([]);
    brokerIsAway = true;
    node.kernel.unmountAt(vanishes.mountPath);
    daemons.dead.add(pidOf('t2'));
    for (let round = 0; round < 2; round += 1) await watch.look().catch(() => undefined);
    brokerIsAway = false;
    await watch.look();
    expect(named()).toEqual([
      expect.objectContaining({ event: 'vanished', backup_target_id: 't1', mnt_id: vanishes.mntId }),
      expect.objectContaining({ event: 'broken', backup_target_id: 't2', mnt_id: mntId }),
    ]);
    node.kernel.layers.push(vanishes);
    daemons.dead.clear();
    await watch.look();
    expect(named()).toEqual([]);
  });

  it('costs one read of the table and one look at each daemon, and touches no mount', async () => {
    const MOUNTS = 200;
    for (let index = 0; index < MOUNTS; index += 1) mounted(`t${index}`);
    let reads = 0;
    const read = node.kernel.read.bind(node.kernel);
    node.kernel.read = () => {
      reads += 1;
      return read();
    };
    await watch.look();
    await watch.look();
    expect({ reads, looks: daemons.looks }).toEqual({ reads: 2, looks: 2 * MOUNTS });
    expect(node.kernel.log).toEqual([]);
  });

  it('speaks as the golden event has it', async () => {
    node.remove();
    const expected = JSON.parse(readFileSync(GOLDEN, 'utf8')) as NodeEvent;
    const base = '/var/lib/trilio/triliovault-mounts';
    node = new TestNode({ DMS_NODE_ID: expected.node, DMS_MOUNT_BASE: base }, expected.incarnation);
    begin();
    const dms = { ...node.envelope(expected.epoch), operation_id: '00000000-0000-4000-8000-000000000001' };
    await node.send({ ...nfsCommand('mount', { dms }), host: expected.node });
    node.kernel.mountLayer(expected.mount_path, 'stranger');
    await watch.look();
    expect(JSON.stringify({ ...said[0], at: expected.at })).toBe(JSON.stringify(expected));
  });
});
