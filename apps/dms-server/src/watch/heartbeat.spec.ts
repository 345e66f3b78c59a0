import { type HeartbeatAnswer } from '../kernel/heartbeat.interface';
import { type MountEntry } from '../kernel/mount-table.interface';
import { type ProcessIdentity } from '../processes/process-identity';
import { BASE, BOOT, TestNode } from '../testing/test-node';
import { HeartbeatService } from './heartbeat.service';

const PATH = `${BASE}/t1`;
/** Two questions are asked within it; the answers of the fake daemon come at once. */
const HANG_TIMEOUT = '0.002';

describe('the heartbeat', () => {
  let node: TestNode;
  let service: HeartbeatService;
  let answer: HeartbeatAnswer | 'never';
  let asked: string[];
  let aborted: string[];
  let cpuTicks: number;
  let pid: number;

  function begin(settings: Record<string, string> = {}): MountEntry {
    node = new TestNode({ DMS_HANG_TIMEOUT: HANG_TIMEOUT, ...settings });
    [answer, asked, aborted, cpuTicks, pid] = ['answers', [], [], 0, 7];
    node.s3.daemons.set('t1', pid);
    const heartbeat = {
      ask: (targetId: string): Promise<HeartbeatAnswer> => {
        asked.push(targetId);
        return answer === 'never' ? new Promise(() => undefined) : Promise.resolve(answer);
      },
      withdraw: () => Promise.resolve(),
    };
    const connections = {
      abort: (_targetId: string, device: string): Promise<void> => {
        aborted.push(device);
        return Promise.resolve();
      },
    };
    const daemons = {
      identityOf: (): Promise<ProcessIdentity> => Promise.resolve({ pid, startTime: 1, bootId: BOOT }),
      lives: (): Promise<boolean> => Promise.resolve(true),
      cpuTicksOf: (): Promise<number> => Promise.resolve(cpuTicks),
    };
    const { kernel, fences, queues, hung } = node;
    service = new HeartbeatService(
      node.settings,
      heartbeat,
      connections,
      kernel,
      daemons,
      hung,
      fences,
      queues,
    );
    return mounted();
  }

  function mounted(fstype = 'fuse.s3fs'): MountEntry {
    const layer = node.kernel.mountLayer(PATH, 'source', { fstype });
    const { mntId, device } = layer;
    const mountedAs = { type: 's3', source: 'source', mountPath: PATH, readOnly: false } as const;
    node.fences.remember('t1', { mountedAs: { ...mountedAs, mntId, device, fstype } });
    return layer;
  }

  /** Rounds so far apart that each asks again. */
  async function rounds(count: number): Promise<void> {
    for (let round = 1; round <= count; round += 1) {
      await service.round(Number.MAX_SAFE_INTEGER);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  afterEach(() => node.remove());

  it('finds a daemon that does not answer, and cuts nothing unless it is told to', async () => {
    begin();
    answer = 'silent';
    await rounds(3);
    expect(node.hung.has('t1', pid)).toBe(true);
    expect(await node.observations.observe('t1')).toMatchObject({ state: 'broken', mounted: true });
    expect(node.kernel.log).not.toContain('probe t1');
    expect(aborted).toEqual([]);
  });

  it('takes it back when the daemon answers again', async () => {
    begin();
    answer = 'silent';
    await rounds(3);
    answer = 'answers';
    await rounds(1);
    expect(node.hung.has('t1', pid)).toBe(false);
  });

  it('learns nothing from a question that was taken back', async () => {
    begin();
    answer = 'withdrawn';
    await rounds(3);
    expect(asked).toEqual(['t1', 't1', 't1']);
    expect(node.hung.has('t1', pid)).toBe(false);
  });

  it('waits for one that works', async () => {
    begin({ DMS_HANG_TIMEOUT: '600' });
    answer = 'silent';
    for (cpuTicks = 1; cpuTicks < 5; cpuTicks += 1) await rounds(1);
    expect(node.hung.has('t1', pid)).toBe(false);
  });

  it('cuts the connection once, and that of the mount that hangs alone, where it is told to', async () => {
    const { device } = begin({ DMS_FUSE_ABORT: 'true' });
    answer = 'silent';
    await rounds(5);
    expect(aborted).toEqual([device]);

    node.remove();
    begin({ DMS_FUSE_ABORT: 'true' });
    node.kernel.layers = [];
    node.kernel.mountLayer(PATH, 'another', { fstype: 'fuse.other' });
    answer = 'silent';
    await rounds(5);
    expect(aborted).toEqual([]);
  });

  it('calls a mount broken at once whose connection is cut', async () => {
    begin({ DMS_HANG_TIMEOUT: '600', DMS_FUSE_ABORT: 'true' });
    answer = 'dead';
    await rounds(1);
    expect(node.hung.has('t1', pid)).toBe(true);
    expect(aborted).toEqual([]);
  });

  it('does not speak of a new mount as it did of the former', async () => {
    begin();
    answer = 'silent';
    await rounds(3);
    node.kernel.layers = [];
    pid = 8;
    node.s3.daemons.set('t1', pid);
    mounted();
    answer = 'answers';
    await rounds(1);
    expect([7, 8].map((daemon) => node.hung.has('t1', daemon))).toEqual([false, false]);
    expect(await node.observations.observe('t1')).toMatchObject({ state: 'mounted' });
  });

  it('finds a daemon that hangs while fences and probes of its target never cease', async () => {
    begin();
    answer = 'silent';
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const fence = node.queues.run('t1', () => held, 'look');
    await rounds(3);
    expect(node.hung.has('t1', pid)).toBe(true);
    release();
    await fence;
  });

  it('asks no NFS mount, none of which a command is under way, and none twice at a time', async () => {
    begin();
    let release: () => void = () => undefined;
    const command = node.queues.run('t1', () => new Promise<void>((resolve) => (release = resolve)));
    await rounds(2);
    expect(asked).toEqual([]);
    release();
    await command;
    answer = 'never';
    void service.round(Number.MAX_SAFE_INTEGER);
    await new Promise(setImmediate);
    void service.round(Number.MAX_SAFE_INTEGER);
    await new Promise(setImmediate);
    expect(asked).toEqual(['t1']);

    node.remove();
    begin();
    node.kernel.layers = [];
    mounted('nfs4');
    await rounds(2);
    expect(asked).toEqual([]);
  });
});
