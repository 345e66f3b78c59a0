import { lookCommand, nfsCommand, TestNode } from '../testing/test-node';

const OURS = '44444444-4444-4444-8444-444444444444';
const THEIRS = '55555555-5555-4555-8555-555555555555';

describe('commands of another ledger', () => {
  let node: TestNode;

  beforeEach(async () => {
    node = new TestNode();
    await node.send(nfsCommand('mount', { dms: node.envelopeOf(OURS, 1) }));
  });

  afterEach(() => {
    node.remove();
  });

  it('are refused while the node has mounts of the first one: nothing is done, and what is seen is told', async () => {
    const refused = { error_code: 'CONFLICT', acted: false, ledger: OURS };
    const seen = { epoch: 1, mount: { state: 'mounted', epoch: 1 } };
    const { log } = node.kernel;
    const before = log.length;
    for (const command of [
      nfsCommand('unmount', { dms: node.envelopeOf(THEIRS, 7) }),
      nfsCommand('mount', { dms: node.envelopeOf(THEIRS, 7) }),
      lookCommand('fence', node.envelopeOf(THEIRS, 7)),
    ]) {
      const result = await node.send(command);
      expect(result).toMatchObject({ ...refused, ...seen });
      expect(result.error_msg).toContain(`the node serves the ledger ${OURS}`);
      expect(result.error_msg).toContain('DMS_DB_URL');
    }
    const other = nfsCommand('mount', { id: 't2', export: 's:/2', dms: node.envelopeOf(THEIRS, 7) });
    await expect(node.send(other)).resolves.toMatchObject({ ...refused, mount: { state: 'absent' } });
    expect(log.slice(before).filter((line) => !line.startsWith('probe'))).toEqual([]);
    expect(node.fences.recordOf('t1').epoch).toBe(1);
    await expect(node.send(lookCommand('probe', node.envelopeOf(THEIRS, 0)))).resolves.toMatchObject({
      status: 'success',
    });
    await expect(node.send({ action: 'inventory' })).resolves.toMatchObject({ ledger: OURS });
  });

  it('are refused while a command of the first one is under way, of whatever target', async () => {
    await node.send(nfsCommand('unmount', { dms: node.envelopeOf(OURS, 2) }));
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    node.nfs.pause = () => opened;
    const mount = node.send(nfsCommand('mount', { dms: node.envelopeOf(OURS, 3) }));
    await expect(
      node.send(lookCommand('fence', node.envelopeOf(THEIRS, 1), { id: 't2' })),
    ).resolves.toMatchObject({ error_code: 'CONFLICT', acted: false });
    open();
    await expect(mount).resolves.toMatchObject({ status: 'success' });
  });

  it('let it take the node over after the last unmount, and what was refused does nothing later', async () => {
    const refused = nfsCommand('mount', { dms: node.envelopeOf(THEIRS, 9) });
    await node.send(refused);
    const late = nfsCommand('mount', { dms: node.envelopeOf(OURS, 8) });
    await node.send(nfsCommand('unmount', { dms: node.envelopeOf(OURS, 2) }));
    const { incarnation } = node.fences;
    await expect(node.send(refused)).resolves.toMatchObject({ error_code: 'STALE_EPOCH', acted: false });
    expect(node.fences.incarnation).not.toBe(incarnation);
    await expect(node.send(refused)).resolves.toMatchObject({ error_code: 'STALE_EPOCH' });
    await expect(node.send(late)).resolves.toMatchObject({ error_code: 'STALE_EPOCH' });
    await expect(node.send(nfsCommand('mount', { dms: node.envelopeOf(THEIRS, 10) }))).resolves.toMatchObject(
      { status: 'success' },
    );
    await expect(node.send(lookCommand('fence', node.envelopeOf(OURS, 11)))).resolves.toMatchObject({
      error_code: 'CONFLICT',
      ledger: THEIRS,
    });
  });

  it('are let in where the mounts were taken away by hand', async () => {
    node.kernel.unmountAt('/srv/mounts/t1');
    await expect(node.send(lookCommand('fence', node.envelopeOf(THEIRS, 5)))).resolves.toMatchObject({
      error_code: 'STALE_EPOCH',
    });
    await expect(node.send(lookCommand('fence', node.envelopeOf(THEIRS, 5)))).resolves.toMatchObject({
      status: 'success',
      mount: { state: 'absent' },
    });
  });

  it('are obeyed where an operator had the first one forgotten: the mounts are theirs', async () => {
    node.fences.forgetLedger();
    await expect(node.send(lookCommand('fence', node.envelopeOf(THEIRS, 5)))).resolves.toMatchObject({
      status: 'success',
      mount: { state: 'mounted' },
    });
    await expect(
      node.send(nfsCommand('unmount', { dms: node.envelopeOf(THEIRS, 6) })),
    ).resolves.toMatchObject({
      status: 'success',
    });
    expect(node.kernel.layers).toEqual([]);
  });

  it('are not those that name none: they are obeyed as ever', async () => {
    await expect(node.send(nfsCommand('unmount', { dms: node.envelope(2) }))).resolves.toMatchObject({
      status: 'success',
      mount: { state: 'absent' },
    });
  });
});
