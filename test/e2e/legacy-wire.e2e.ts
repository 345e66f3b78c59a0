import { randomUUID } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeProcess } from '../fleet/node-process';
import { type S3Target, Targets } from '../fleet/targets';
import { WireClient, type WireReply } from '../fleet/wire-client';
import { makeDirectory, removeDirectory, type RigAddresses, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const THREE_KEYS = ['status', 'error_msg', 'success_msg'];

describeOnRig('dms-server with a Python client', (rig: RigAddresses) => {
  const host = `wire-${randomUUID().slice(0, 8)}`;
  const directory = join(rig.directory, host);
  let node: NodeProcess;
  let python: WireClient;
  let targets: Targets;
  let target: S3Target;

  beforeAll(async () => {
    await makeDirectory(directory);
    targets = new Targets(rig);
    target = await targets.s3('legacy');
    // The client may be there first: both declare the queue in the same way.
    python = await WireClient.open(rig.brokerUrl ?? '', host);
    node = new NodeProcess({
      host,
      directory,
      brokerUrl: rig.brokerUrl ?? '',
      authUrl: rig.cloud?.authUrl,
      settings: { DMS_S3VAULTFUSE_BIN: join(directory, 'not-installed'), DMS_BUSY_TIMEOUT: '0.5' },
    });
    await node.start();
  });

  afterAll(async () => {
    await python.close();
    await node.stop();
    await removeDirectory(directory);
  });

  /** The body of the Python client: the caller's request with `jobid` at the top level and `action`. */
  const request = async (action: string, changes: Record<string, unknown> = {}) => ({
    ...(await targets.request(host, 12345, target, { filesystem_export_mount_path: join(node.base, 'p') })),
    jobid: 12345,
    action,
    ...changes,
  });

  const legacy = (reply: WireReply, expected: [string, string | null, string | null]): void => {
    expect(Object.keys(reply.body)).toEqual(THREE_KEYS);
    expect(Object.values(reply.body)).toEqual(expected);
  };

  it('mounts, mounts again, and unmounts, with the texts that it knows', async () => {
    const path = join(node.base, 'p');
    const mounted = await python.call(await request('mount'));
    legacy(mounted, ['success', null, `S3 target mounted successfully at ${path}`]);
    expect(mounted.contentType).toBe('application/json');
    await writeFile(join(path, 'file'), 'written');
    expect(await readFile(join(path, 'file'), 'utf8')).toBe('written');
    legacy(await python.call(await request('mount')), ['success', null, `Already mounted at ${path}`]);
    const unmounted = await python.call(await request('unmount'));
    legacy(unmounted, ['success', null, `Target unmounted successfully from ${path}`]);
    const again = await python.call(await request('unmount'));
    legacy(again, ['success', null, `Target not mounted at ${path}`]);
  });

  it('leaves a mount that is in use, and names who uses it', async () => {
    const path = join(node.base, 'p');
    await python.call(await request('mount'));
    const file = await open(join(path, 'in use'), 'w');
    try {
      const busy = await python.call(await request('unmount'));
      expect(Object.keys(busy.body)).toEqual(THREE_KEYS);
      expect(busy.body).toMatchObject({ status: 'error', success_msg: null });
      expect(busy.body.error_msg).toContain(`${path} is in use by `);
      expect(busy.body.error_msg).toContain(`(${process.pid}, ${path}/in use)`);
    } finally {
      await file.close();
    }
    const unmounted = await python.call(await request('unmount'));
    legacy(unmounted, ['success', null, `Target unmounted successfully from ${path}`]);
  });

  it('says that an export cannot be mounted', async () => {
    const nfs = { id: 'export', type: 'nfs', filesystem_export: '127.0.0.1:/none', secret_ref: null };
    const reply = await python.call(await request('mount', { backup_target: nfs }));
    expect(Object.keys(reply.body)).toEqual(THREE_KEYS);
    expect(reply.body).toMatchObject({ status: 'error', success_msg: null });
    expect(reply.body.error_msg).not.toBe('');
  });

  it.each([
    ['no JSON', 'not json', 'Invalid JSON format in request'],
    ['no object', '[1]', /^body: must be a JSON object/],
    ['no target', '{"action":"mount"}', /backup_target/],
    ['no id', '{"action":"mount","backup_target":{"type":"nfs"}}', /backup_target\.id/],
    ['another action', '{"action":"reboot"}', 'Unknown action: reboot'],
    ['no action', '{}', /^action: is required/],
    ['another host', '{"action":"unmount","host":"x","backup_target":{"id":"a","type":"nfs"}}', /^host: /],
    ['10 MB', Buffer.alloc(10_000_000, 0x20), /^body: /],
  ])('answers a message with %s', async (_what, body, text) => {
    const reply = await python.call(body);
    expect(Object.keys(reply.body)).toEqual(THREE_KEYS);
    expect(reply.body.status).toBe('error');
    if (typeof text === 'string') expect(reply.body.error_msg).toBe(text);
    else expect(reply.body.error_msg).toMatch(text);
  });

  it('does nothing for a caller that is gone', async () => {
    const caller = await WireClient.open(rig.brokerUrl ?? '', host);
    const gone = caller.replyTo;
    await caller.close();
    python.send(await request('mount'), { replyTo: gone, correlationId: randomUUID() });
    await waitFor(async () => (await node.log()).includes('The caller is gone'), {
      timeoutMs: 10_000,
      what: 'a line of the log',
    });
    const reply = await python.call(await request('unmount'));
    legacy(reply, ['success', null, `Target not mounted at ${join(node.base, 'p')}`]);
  });

  it('acknowledges what it has answered, and what it could not answer', async () => {
    python.send('not json');
    await python.call('{}');
    const { messageCount, consumerCount } = await python.channel.checkQueue(`dms.${host}`);
    expect([messageCount, consumerCount]).toEqual([0, 1]);
    await node.stop();
    expect((await python.channel.checkQueue(`dms.${host}`)).messageCount).toBe(0);
    await node.start();
  });
});
