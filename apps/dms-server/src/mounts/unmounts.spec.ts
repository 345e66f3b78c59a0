import { BASE, lookCommand, nfsCommand, TestNode } from '../testing/test-node';

const PATH = `${BASE}/t1`;

describe('unmount', () => {
  let node: TestNode;
  const mount = (epoch: number | null) =>
    node.send(nfsCommand('mount', epoch === null ? {} : { dms: node.envelope(epoch) }));
  const unmount = (epoch: number | null, path?: string) =>
    node.send(nfsCommand('unmount', { path, ...(epoch === null ? {} : { dms: node.envelope(epoch) }) }));

  beforeEach(() => {
    node = new TestNode();
  });

  afterEach(() => {
    node.remove();
  });

  it('takes away what it mounted, where it mounted it', async () => {
    await mount(1);
    await expect(unmount(2, `${BASE}/somewhere-else`)).resolves.toMatchObject({
      status: 'success',
      success_msg: `Target unmounted successfully from ${PATH}`,
      error_code: null,
      mount: { state: 'absent', mounted: false },
    });
    expect(node.kernel.layers).toEqual([]);
    expect(node.kernel.log).toContain(`remove later ${PATH}`);
    expect(node.fences.recordOf('t1')).toMatchObject({ epoch: 2, mountedAs: null, epochHolder: false });
  });

  it('succeeds where nothing is mounted', async () => {
    await expect(unmount(1)).resolves.toMatchObject({
      status: 'success',
      success_msg: `Target not mounted at ${PATH}`,
    });
  });

  it("leaves a stranger's mount alone", async () => {
    node.kernel.mountLayer(PATH, 'server:/export');
    await expect(unmount(1)).resolves.toMatchObject({
      error_code: 'CONFLICT',
      acted: false,
      mount: { state: 'foreign' },
    });
    await mount(2);
    expect(node.kernel.layers).toHaveLength(1);
  });

  it("leaves its own mount alone when a stranger's lies over it", async () => {
    await mount(1);
    node.kernel.mountLayer(PATH, 'tmpfs', { fstype: 'tmpfs' });
    await expect(unmount(2)).resolves.toMatchObject({ error_code: 'CONFLICT', mount: { state: 'foreign' } });
    expect(node.kernel.layers).toHaveLength(2);
  });

  it('remembers that it was not clean before it looks for copies, which takes time', async () => {
    await mount(1);
    node.nfs.unmountResult = { kind: 'failed', reason: 'the server is full' };
    const remembered: unknown[] = [];
    node.copies.left = (_targetId, known) => {
      remembered.push(node.fences.recordOf('t1').flushProblem);
      return Promise.resolve(known);
    };
    await expect(unmount(2)).resolves.toMatchObject({ error_code: 'UNMOUNTED_DIRTY' });
    expect(remembered.at(0)).toBe('the server is full');
  });

  it('first takes back what the watch asks of the mount', async () => {
    await mount(1);
    await unmount(2);
    const steps = node.kernel.log.filter((line) => ['withdraw t1', 'unmount t1'].includes(line));
    expect(steps).toEqual(['withdraw t1', 'unmount t1']);
  });

  it('first ends its own probes of the mount, and lets none in until it is done', async () => {
    await mount(1);
    await unmount(2);
    const steps = node.kernel.log.filter((line) => ['keep out of t1', 'unmount t1'].includes(line));
    expect(steps).toEqual(['keep out of t1', 'unmount t1']);
  });

  it('is begun also where a probe of its mount hangs in the kernel', async () => {
    await mount(1);
    node.kernel.left.set('probe/t1', 1);
    await expect(unmount(2)).resolves.toMatchObject({ status: 'success', mount: { state: 'absent' } });
  });

  it('says that a question of dms-server keeps it busy where one hangs and nobody else is found', async () => {
    await mount(1);
    node.kernel.left.set('heartbeat/t1', 1);
    node.users = [];
    node.nfs.takeAway = false;
    node.nfs.unmountResult = { kind: 'busy' };
    await expect(unmount(2)).resolves.toMatchObject({
      error_code: 'BUSY',
      error_msg: `${PATH} is in use by a question of dms-server, which hangs until the mount answers it`,
    });
  });

  it('names who keeps it busy, and what stands', async () => {
    await mount(1);
    node.nfs.takeAway = false;
    node.nfs.unmountResult = { kind: 'busy' };
    await expect(unmount(2)).resolves.toMatchObject({
      error_code: 'BUSY',
      error_msg: `${PATH} is in use by tar (42, ${BASE}/t1/file)`,
      mount: { state: 'mounted', users: [{ pid: 42, command: 'tar' }] },
    });
    expect(node.fences.recordOf('t1').mountedAs).not.toBeNull();
  });

  it('names a daemon that hangs, and what can be done with it', async () => {
    await mount(1);
    node.nfs.takeAway = false;
    node.nfs.unmountResult = { kind: 'busy' };
    const hangs = (pid: number): string =>
      `; its FUSE daemon, process ${pid}, hangs: the mount goes when that goes on, or, with all that it has not stored, ` +
      `by: dms-server processes --kill ${pid} --force`;
    for (const [epoch, pid, by] of [
      [2, 4711, ` by tar (42, ${BASE}/t1/file)`],
      // The daemon itself does not count as somebody who uses it.
      [3, 42, ''],
    ] as const) {
      node.nfs.daemons.set('t1', pid);
      node.hung.add('t1', pid);
      await expect(unmount(epoch)).resolves.toMatchObject({
        error_code: 'BUSY',
        error_msg: `${PATH} is in use${by}${hangs(pid)}`,
        mount: { state: 'broken' },
      });
    }
  });

  it('looks again after a failure', async () => {
    await mount(1);
    node.nfs.takeAway = false;
    node.nfs.unmountResult = { kind: 'failed', reason: 'umount: no' };
    await expect(unmount(2)).resolves.toMatchObject({
      error_code: 'UNMOUNT_FAILED',
      error_msg: `${PATH} is still mounted: umount: no`,
      mount: { state: 'mounted' },
    });
    node.nfs.pause = () => {
      node.kernel.left.set('t1', 1);
      return Promise.resolve();
    };
    await expect(unmount(3)).resolves.toMatchObject({ error_code: 'TIMEOUT', mount: { state: 'unknown' } });
  });

  describe('of which a flush failed', () => {
    const WHY = 'No space left on device';
    const busyOnce = async (): Promise<unknown> => {
      node.nfs.flushError = WHY;
      node.nfs.takeAway = false;
      node.nfs.unmountResult = { kind: 'busy' };
      const answer = await unmount(2);
      node.nfs.takeAway = true;
      node.nfs.unmountResult = { kind: 'gone', flushVerified: true, detail: null, everywhere: true };
      return answer;
    };
    const dirty = {
      status: 'success',
      error_code: 'UNMOUNTED_DIRTY',
      success_msg: `Target unmounted successfully from ${PATH}, but not cleanly: ${WHY}`,
      mount: { state: 'absent', flush_verified: false, flush_problem: WHY },
    };

    it('says so while it is busy, and when it is gone, although the next flush is clean', async () => {
      await mount(1);
      await expect(busyOnce()).resolves.toMatchObject({
        error_code: 'BUSY',
        error_msg: expect.stringContaining(`data may be lost, because a flush failed: ${WHY}`) as string,
      });
      await expect(unmount(3)).resolves.toMatchObject(dirty);
    });

    it.each<[string, () => Promise<unknown>]>([
      ['the next unmount', () => unmount(3)],
      [
        'the unmount after a fence',
        async () => {
          await node.send(lookCommand('fence', node.envelope(3)));
          return unmount(4);
        },
      ],
    ])('is told to %s where the daemon ended badly after an unmount had given up', async (_, next) => {
      await mount(1);
      node.nfs.unmountResult = { kind: 'failed', reason: 'the FUSE process has not ended yet' };
      node.nfs.takeAway = false;
      await unmount(2);
      node.kernel.unmountAt(PATH);
      node.nfs.unreadLoss = WHY;
      await expect(next()).resolves.toMatchObject({
        error_code: 'UNMOUNTED_DIRTY',
        success_msg: `Target not mounted at ${PATH}, but not cleanly: ${WHY}`,
      });
    });

    it('says so after a restart of the program in between', async () => {
      await mount(1);
      await busyOnce();
      node.restart();
      await expect(unmount(3)).resolves.toMatchObject(dirty);
    });

    it('tells it to the fence and the unmount that come after an answer that was lost, until it is mounted anew', async () => {
      await mount(1);
      node.nfs.flushError = WHY;
      await unmount(2);
      node.restart();
      await expect(node.send(lookCommand('fence', node.envelope(3)))).resolves.toMatchObject({
        error_code: null,
        mount: dirty.mount,
      });
      await expect(unmount(4)).resolves.toMatchObject({
        error_code: 'UNMOUNTED_DIRTY',
        success_msg: `Target not mounted at ${PATH}, but not cleanly: ${WHY}`,
      });
      await mount(5);
      await expect(unmount(6)).resolves.toMatchObject({ error_code: null, mount: { flush_verified: null } });
    });

    it('is told for every mount of the same device, and for no other', async () => {
      for (const [index, id] of ['t1', 't2', 't3'].entries())
        await node.send(nfsCommand('mount', { id, export: `server:/${id}`, dms: node.envelope(index + 1) }));
      node.kernel.layers = node.kernel.layers.map((layer) =>
        layer.source === 'server:/t3' ? layer : { ...layer, device: '0:77' },
      );
      for (const id of ['t1', 't2']) await node.send(lookCommand('fence', node.envelope(4), { id }));
      node.nfs.flushError = WHY;
      const ended = async (id: string): Promise<unknown> =>
        (await node.send(nfsCommand('unmount', { id, export: `server:/${id}`, dms: node.envelope(5) })))
          .error_code;
      expect([await ended('t1'), await ended('t2'), await ended('t3')]).toEqual([
        'UNMOUNTED_DIRTY',
        'UNMOUNTED_DIRTY',
        null,
      ]);
    });
  });

  it('is a success with a code where it is gone but was not flushed', async () => {
    await mount(1);
    node.nfs.unmountResult = {
      kind: 'gone',
      flushVerified: false,
      detail: 'exit status 1',
      everywhere: false,
    };
    await expect(unmount(2)).resolves.toMatchObject({
      status: 'success',
      error_code: 'UNMOUNTED_DIRTY',
      success_msg: `Target unmounted successfully from ${PATH}, but not cleanly: exit status 1`,
      mount: { state: 'absent', flush_verified: false },
    });
  });

  it('does not call a target absent whose daemon still runs', async () => {
    await mount(1);
    node.nfs.daemons.set('t1', 99);
    node.kernel.unmountAt(PATH);
    node.nfs.takeAway = false;
    node.nfs.unmountResult = { kind: 'failed', reason: 'it does not end' };
    await expect(unmount(2)).resolves.toMatchObject({
      error_code: 'UNMOUNT_FAILED',
      mount: { state: 'broken', mounted: false, children_left: 1 },
    });
    node.nfs.takeAway = true;
    node.nfs.unmountResult = { kind: 'gone', flushVerified: true, detail: null, everywhere: true };
    await expect(unmount(3)).resolves.toMatchObject({ status: 'success', mount: { state: 'absent' } });
  });

  describe('with Python programs', () => {
    it('takes away what only they mounted', async () => {
      await mount(null);
      expect(node.fences.recordOf('t1')).toMatchObject({
        epoch: 0,
        legacyHolders: [{ jobid: 7 }],
        epochHolder: false,
      });
      await expect(unmount(null)).resolves.toMatchObject({
        success_msg: `Target unmounted successfully from ${PATH}`,
      });
      expect(node.kernel.layers).toEqual([]);
    });

    it('keeps for them what ours would take away', async () => {
      await mount(null);
      await mount(1);
      await expect(unmount(2)).resolves.toMatchObject({
        error_code: 'BUSY',
        acted: false,
        mount: { state: 'mounted' },
      });
      await unmount(null);
      await expect(unmount(3)).resolves.toMatchObject({ status: 'success', mount: { state: 'absent' } });
    });

    const ended = (epoch: number, ids: readonly string[]) =>
      node.send(nfsCommand('unmount', { dms: { ...node.envelope(epoch), legacy_ended: ids } }));

    it('says for whom it keeps it, and lets it go when the ledger shows that they have ended', async () => {
      await mount(null);
      await mount(1);
      const { legacyHolders = [], error_msg } = await unmount(2);
      expect(legacyHolders).toEqual([
        { id: expect.any(String) as string, jobid: 7, age_ms: expect.any(Number) as number },
      ]);
      expect(error_msg).toContain(`holds the mount at ${PATH} for job 7;`);
      node.restart();
      await expect(ended(3, [legacyHolders[0].id])).resolves.toMatchObject({
        status: 'success',
        mount: { state: 'absent' },
      });
    });

    it.each(['busy', 'failed'] as const)(
      'keeps it for a program whose own unmount was refused because it was %s',
      async (kind) => {
        await mount(null);
        const { legacyHolders } = node.fences.recordOf('t1');
        node.nfs.takeAway = false;
        node.nfs.unmountResult = kind === 'busy' ? { kind } : { kind, reason: 'it does not go' };
        await expect(unmount(null)).resolves.toMatchObject({ status: 'error' });
        expect(node.fences.recordOf('t1').legacyHolders).toEqual(legacyHolders);
        node.nfs.takeAway = true;
        node.nfs.unmountResult = { kind: 'gone', flushVerified: null, detail: null, everywhere: false };
        await expect(unmount(1)).resolves.toMatchObject({ error_code: 'BUSY', acted: false });
        expect(node.kernel.layers).toHaveLength(1);
        await expect(unmount(null)).resolves.toMatchObject({ status: 'success' });
        expect(node.kernel.layers).toEqual([]);
      },
    );

    it('says that the mount stays where its program lets go of one that a dms-client has found', async () => {
      await mount(null);
      await node.send(lookCommand('fence', node.envelope(1)));
      await expect(unmount(null)).resolves.toMatchObject({
        status: 'success',
        success_msg: expect.stringMatching(
          /^Target unmounted successfully from .*; the mount stays/,
        ) as unknown,
      });
      expect(node.kernel.layers).toHaveLength(1);
    });

    it('keeps it for a mount that came after the one which has ended', async () => {
      await mount(null);
      const [first] = node.fences.recordOf('t1').legacyHolders;
      await mount(null);
      const [second, ...others] = node.fences.recordOf('t1').legacyHolders;
      expect(others).toEqual([]);
      await expect(ended(1, [first.id])).resolves.toMatchObject({
        error_code: 'BUSY',
        legacyHolders: [{ id: second.id, jobid: 7 }],
      });
      expect(node.kernel.layers).toHaveLength(1);
    });

    it('forgets who held a former mount that somebody else took away', async () => {
      await mount(null);
      node.kernel.unmountAt(PATH);
      await mount(1);
      await expect(unmount(2)).resolves.toMatchObject({ status: 'success', mount: { state: 'absent' } });
    });

    it('does not keep a broken mount for them', async () => {
      await mount(null);
      node.kernel.probes.set(PATH, { kind: 'dead', error: 'ENOTCONN' } as never);
      await expect(unmount(1)).resolves.toMatchObject({ status: 'success', mount: { state: 'absent' } });
    });

    it('does not take the job of a program that names none for another', async () => {
      await node.send({ ...nfsCommand('mount'), job: undefined });
      expect(node.fences.recordOf('t1').legacyHolders).toMatchObject([{ jobid: null }]);
    });

    it('remembers a bounded number of them', async () => {
      for (let jobid = 1; jobid <= 40; jobid += 1)
        await node.send({ ...nfsCommand('mount'), job: { jobid } });
      const { legacyHolders } = node.fences.recordOf('t1');
      expect(legacyHolders).toHaveLength(32);
      expect(legacyHolders.at(-1)).toMatchObject({ jobid: 40 });
      expect(legacyHolders.filter(({ jobid }) => jobid === null)).toHaveLength(1);
    });

    it('keeps for ours what they would take away, and says to them that it is done', async () => {
      await mount(1);
      await mount(null);
      await expect(unmount(null)).resolves.toMatchObject({
        success_msg: expect.stringContaining(`Target unmounted successfully from ${PATH}`) as unknown,
      });
      expect(node.kernel.layers).toHaveLength(1);
      expect(node.fences.recordOf('t1')).toMatchObject({ legacyHolders: [], epochHolder: true });
    });

    it('takes a mount of theirs away although there were epochs before', async () => {
      await mount(1);
      await unmount(2);
      await mount(null);
      await unmount(null);
      expect(node.kernel.layers).toEqual([]);
    });
  });
});
