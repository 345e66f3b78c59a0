import { type HeartbeatAnswer } from '../kernel/heartbeat.interface';
import { ServerBreaker } from '../providers/nfs/server-breaker';
import { SlowServers } from '../providers/nfs/slow-servers';
import { FakeReplies } from '../testing/fake-replies';
import { BASE, TestNode } from '../testing/test-node';
import { MountDoubts } from './mount-doubts';
import { NfsWatch } from './nfs-watch.service';

describe('the watch of NFS servers', () => {
  let node: TestNode;
  let doubts: MountDoubts;
  let breaker: ServerBreaker;
  let watch: NfsWatch;
  let replies: FakeReplies;
  let asked: string[];
  let answers: Record<string, HeartbeatAnswer>;
  let ids: Record<string, number>;

  beforeEach(() => {
    node = new TestNode();
    doubts = new MountDoubts();
    const { settings, kernel, fences, queues } = node;
    breaker = new ServerBreaker(settings, kernel);
    asked = [];
    answers = {};
    ids = {};
    const heartbeat = {
      ask: (targetId: string): Promise<HeartbeatAnswer> => {
        asked.push(targetId);
        return Promise.resolve(answers[targetId] ?? 'answers');
      },
      withdraw: () => Promise.resolve(),
    };
    replies = new FakeReplies();
    const slow = new SlowServers();
    watch = new NfsWatch(settings, heartbeat, kernel, breaker, doubts, fences, queues, replies, slow);
  });
  afterEach(() => node.remove());

  function mounted(targetId: string, source = 'server:/a', fstype = 'nfs4'): void {
    const mountPath = `${BASE}/${targetId}`;
    const { mntId, device } = node.kernel.mountLayer(mountPath, source, { fstype });
    const type = fstype === 'nfs4' ? 'nfs' : 's3';
    node.fences.remember(targetId, {
      mountedAs: { type, source, mountPath, readOnly: false, mntId, device, fstype },
    });
    ids[targetId] = mntId;
  }

  async function round(): Promise<void> {
    await watch.round();
    await watch.settled();
  }
  const doubted = (): string[] => Object.keys(ids).filter((targetId) => doubts.has(targetId, ids[targetId]));

  it('has no mount in doubt of a server that still replies when the time is over, and asks its other mounts, too', async () => {
    mounted('t1');
    mounted('t2');
    answers = { t1: 'silent' };
    replies.answering = true;
    await round();
    expect(asked).toEqual(['t1', 't2']);
    expect(doubted()).toEqual([]);
    expect(breaker.silentFor('server:2049')).toBeNull();
  });

  it('asks NFS mounts and no others, each at its time', async () => {
    mounted('t1');
    mounted('t2', 'other:/a');
    mounted('t3', 'bucket', 'fuse.s3fs');
    await round();
    await round();
    expect(asked.sort()).toEqual(['t1', 't2']);
    expect(doubted()).toEqual([]);
  });

  it('asks one mount of a server that is silent, and doubts all of that server', async () => {
    mounted('t1');
    mounted('t2', 'server:/b');
    mounted('t3', 'other:/a');
    answers = { t1: 'silent', t2: 'silent' };
    await round();
    expect(asked.sort()).toEqual(['t1', 't3']);
    expect(doubted()).toEqual(['t1', 't2']);
    expect(breaker.silentFor('server:2049')).not.toBeNull();
    expect(breaker.silentFor('other:2049')).toBeNull();
  });

  it('asks what is in doubt again in the next round, until it answers', async () => {
    mounted('t1');
    mounted('t2', 'server:/b');
    answers = { t1: 'silent' };
    await round();
    answers = {};
    await round();
    expect(asked).toEqual(['t1', 't1', 't2']);
    expect(doubted()).toEqual([]);
    expect(breaker.silentFor('server:2049')).toBeNull();
  });

  it('doubts a single mount whose handle is refused: its server is there', async () => {
    mounted('t1');
    mounted('t2', 'server:/b');
    answers = { t1: 'dead' };
    await round();
    expect(asked).toEqual(['t1', 't2']);
    expect(doubted()).toEqual(['t1']);
    expect(breaker.silentFor('server:2049')).toBeNull();
  });

  it('asks nothing of a target while a command of it is in the queue', async () => {
    mounted('t1');
    let release: () => void = () => undefined;
    const command = node.queues.run('t1', () => new Promise<void>((resolve) => (release = resolve)));
    await round();
    expect(asked).toEqual([]);
    release();
    await command;
    await round();
    expect(asked).toEqual(['t1']);
  });

  it('forgets what is not mounted any more', async () => {
    mounted('t1');
    answers = { t1: 'silent' };
    await round();
    node.kernel.unmountAt(`${BASE}/t1`);
    await round();
    expect(doubted()).toEqual([]);
    expect(asked).toEqual(['t1']);
  });
});
