import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BASE, BOOT, lookCommand, nfsCommand, TestNode } from '../testing/test-node';

const PATH = `${BASE}/t1`;

describe('commands and the fence', () => {
  let node: TestNode;

  beforeEach(() => {
    node = new TestNode();
  });

  afterEach(() => {
    chmodSync(node.runDir, 0o755);
    node.remove();
  });

  it('executes an operation once and answers its repeat with the same outcome', async () => {
    const command = nfsCommand('mount', { dms: node.envelope(1) });
    const first = await node.send(command);
    const again = await node.send(command);
    expect(again).toEqual(first);
    expect(node.kernel.layers).toHaveLength(1);
    expect(node.kernel.log.filter((line) => line.startsWith('mount'))).toHaveLength(1);
  });

  it('queues a repeat behind the operation itself', async () => {
    const command = nfsCommand('mount', { dms: node.envelope(1) });
    const results = await Promise.all([node.send(command), node.send(command)]);
    expect(results.map(({ success_msg }) => success_msg)).toEqual(
      Array(2).fill(`NFS target mounted successfully at ${PATH}`),
    );
    expect(node.kernel.layers).toHaveLength(1);
  });

  it('does not act on a repeat whose outcome it lost, and calls it uncertain', async () => {
    const command = nfsCommand('mount', { dms: node.envelope(1) });
    node.fences.admit('t1', command.dms as never);
    node.restart();
    await expect(node.send(command)).resolves.toMatchObject({
      error_code: 'TIMEOUT',
      acted: true,
      mount: { state: 'absent' },
    });
    expect(node.kernel.log).toEqual([]);
  });

  it('does not repeat an outcome that is no longer true', async () => {
    const command = nfsCommand('mount', { dms: node.envelope(1) });
    await node.send(command);
    node.kernel.unmountAt(PATH);
    await expect(node.send(command)).resolves.toMatchObject({
      error_code: 'TIMEOUT',
      mount: { state: 'absent' },
    });
  });

  it('leaves the kernel alone for what was overtaken, and says what it sees', async () => {
    await node.send(nfsCommand('mount', { dms: node.envelope(5) }));
    const stale = {
      error_code: 'STALE_EPOCH',
      acted: false,
      epoch: 5,
      mount: { state: 'mounted', epoch: 5 },
    };
    await expect(node.send(nfsCommand('unmount', { dms: node.envelope(4) }))).resolves.toMatchObject(stale);
    await expect(node.send(nfsCommand('unmount', { dms: node.envelope(5) }))).resolves.toMatchObject(stale);
    const stranger = { ...node.envelope(6), incarnation: null };
    await expect(node.send(nfsCommand('unmount', { dms: stranger }))).resolves.toMatchObject(stale);
    expect(node.kernel.layers).toHaveLength(1);
  });

  it('lets nothing act after a fence that is older', async () => {
    const mount = nfsCommand('mount', { dms: node.envelope(1) });
    await expect(node.send(lookCommand('fence', node.envelope(2)))).resolves.toMatchObject({
      status: 'success',
      epoch: 2,
      mount: { state: 'absent' },
    });
    await expect(node.send(mount)).resolves.toMatchObject({ error_code: 'STALE_EPOCH' });
    expect(node.kernel.layers).toEqual([]);
  });

  it('answers a fence when what stands before it in the queue has ended', async () => {
    const results = await Promise.all([
      node.send(nfsCommand('mount', { dms: node.envelope(1) })),
      node.send(lookCommand('fence', node.envelope(2))),
    ]);
    expect(results[1]).toMatchObject({ status: 'success', mount: { state: 'mounted' } });
    expect(results[0]).toMatchObject({ status: 'success', epoch: 1 });
  });

  it('settles nothing while a child of an earlier command may live', async () => {
    node.kernel.left.set('t1', 1);
    const uncertain = { error_code: 'TIMEOUT', acted: true, mount: { state: 'unknown', children_left: 1 } };
    const [fence, mount] = [
      lookCommand('fence', node.envelope(1)),
      nfsCommand('mount', { dms: node.envelope(2) }),
    ];
    await expect(node.send(fence, { deadlineMs: 150 })).resolves.toMatchObject(uncertain);
    await expect(node.send(mount, { deadlineMs: 150 })).resolves.toMatchObject(uncertain);
    expect(node.kernel.log).toEqual([]);
    node.kernel.left.clear();
    await expect(node.send(mount)).resolves.toMatchObject({
      error_code: 'TIMEOUT',
      mount: { state: 'absent' },
    });
  });

  it('remembers a mount again that the ledger knows, and only with a fence', async () => {
    await node.send(nfsCommand('mount', { dms: node.envelope(3) }));
    node.restart('22222222-2222-4222-8222-222222222222');
    const target = { type: 'nfs', source: 'server:/export', filesystem_export_mount_path: PATH };
    const { mount: foreign } = await node.send(lookCommand('probe', node.envelope(0)));
    expect(foreign?.state).toBe('foreign');
    await expect(node.send(lookCommand('probe', node.envelope(0), target))).resolves.toMatchObject({
      mount: { state: 'mounted' },
    });
    expect(node.fences.recordOf('t1').mountedAs).toBeNull();
    await expect(node.send(lookCommand('fence', node.envelope(4), target))).resolves.toMatchObject({
      mount: { state: 'mounted', source: 'server:/export' },
    });
    await expect(node.send(nfsCommand('unmount', { dms: node.envelope(5) }))).resolves.toMatchObject({
      mount: { state: 'absent' },
    });
  });

  it("takes a Python program's mount for the ledger when a fence finds it, so that it stays when that program lets go", async () => {
    await node.send(nfsCommand('mount', {}));
    await node.send(lookCommand('fence', node.envelope(1)));
    await expect(node.send(nfsCommand('unmount', {}))).resolves.toMatchObject({
      status: 'success',
      acted: false,
    });
    expect(node.kernel.layers).toHaveLength(1);
    expect(node.fences.recordOf('t1')).toMatchObject({ legacyHolders: [], epochHolder: true });
  });

  it('forgets what a fence finds gone', async () => {
    await node.send(nfsCommand('mount', { dms: node.envelope(1) }));
    node.kernel.unmountAt(PATH);
    await node.send(lookCommand('fence', node.envelope(2)));
    expect(node.fences.recordOf('t1')).toMatchObject({ mountedAs: null, epochHolder: false });
    expect(node.kernel.log.slice(-2)).toEqual([`remove later ${PATH}`, 'clear t1']);
  });

  it('does not begin what nobody waits for any more', async () => {
    const late = nfsCommand('mount', { dms: node.envelope(1) });
    await expect(node.send(late, { deadlineMs: 0 })).resolves.toMatchObject({
      error_code: 'TIMEOUT',
      acted: false,
    });
    await expect(node.send(nfsCommand('mount'), { callerWaits: false })).resolves.toMatchObject({
      acted: false,
    });
    expect(node.kernel.log).toEqual([]);
  });

  it('answers BUSY at once where too many wait, and obeys none of them when it is delivered again', async () => {
    node.remove();
    node = new TestNode({ DMS_QUEUE_LIMIT: '1' });
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    node.nfs.pause = () => opened;
    const first = node.send(nfsCommand('mount', { dms: node.envelope(1) }));
    const second = node.send(lookCommand('fence', node.envelope(2)));
    const third = nfsCommand('unmount', { dms: node.envelope(3) });
    await expect(node.send(third)).resolves.toMatchObject({ error_code: 'BUSY', acted: false, epoch: 3 });
    await expect(node.send(lookCommand('probe', node.envelope(0)))).resolves.toMatchObject({
      mount: { state: 'unknown' },
    });
    open();
    await Promise.all([first, second]);
    expect(node.kernel.layers).toHaveLength(1);
    node.restart();
    await expect(node.send(third)).resolves.toMatchObject({
      error_code: 'BUSY',
      mount: { state: 'mounted' },
    });
    expect(node.kernel.layers).toHaveLength(1);
  });

  it('says the same of a mount that there was no room for when it is delivered again', async () => {
    node.remove();
    node = new TestNode({ DMS_QUEUE_LIMIT: '1' });
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    node.nfs.pause = () => opened;
    const python = [node.send(nfsCommand('mount')), node.send(nfsCommand('unmount'))];
    const refused = nfsCommand('mount', { dms: node.envelope(1) });
    const busy = { status: 'error', error_code: 'BUSY', epoch: 1 };
    await expect(node.send(refused)).resolves.toMatchObject({ ...busy, acted: false });
    open();
    await Promise.all(python);
    await expect(node.send(refused)).resolves.toMatchObject({ ...busy, mount: { state: 'absent' } });
    expect(node.kernel.layers).toEqual([]);
  });

  it('does not refuse a repeat that there is no room for: what it repeats may be under way', async () => {
    node.remove();
    node = new TestNode({ DMS_QUEUE_LIMIT: '1' });
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    node.nfs.pause = () => opened;
    const mount = nfsCommand('mount', { dms: node.envelope(1) });
    const first = node.send(mount);
    const waiting = node.send(nfsCommand('mount'));
    await expect(node.send(mount)).resolves.toMatchObject({
      ...{ error_code: 'TIMEOUT', acted: true, mount: { state: 'unknown' } },
    });
    open();
    await expect(first).resolves.toMatchObject({ status: 'success' });
    await waiting;
  });

  it('refuses commands where it cannot remember them', async () => {
    rmSync(join(node.runDir, 'targets'), { recursive: true });
    await expect(node.send(nfsCommand('mount', { dms: node.envelope(1) }))).resolves.toMatchObject({
      error_code: 'INTERNAL',
      acted: false,
    });
    await expect(node.send(nfsCommand('mount'))).resolves.toMatchObject({
      error_code: 'INTERNAL',
      acted: false,
    });
    expect(node.kernel.log).toEqual([]);
  });

  it('begins anew after a reboot', () => {
    const before = node.fences.incarnation;
    node.restart(BOOT);
    expect(node.fences.incarnation).toBe(before);
    node.restart('22222222-2222-4222-8222-222222222222');
    expect(node.fences.incarnation).not.toBe(before);
  });
});
