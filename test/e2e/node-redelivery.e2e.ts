import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Hello } from '@app/contracts';
import { BrokerProxy } from '../fleet/broker-proxy';
import { DeafNfsServer } from '../fleet/deaf-nfs-server';
import { nextHello } from '../fleet/next-hello';
import { NodeProcess } from '../fleet/node-process';
import { WireClient, type WireReply } from '../fleet/wire-client';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const HOST = 'redelivery-node';
const SOON = { timeoutMs: 20_000 };
const DELIVERED_BEFORE = 'The command was delivered before, and its outcome is not known: send it again';
const THREE_KEYS = ['status', 'error_msg', 'success_msg'];

/** On a broker of its own. Its node dies with each mount of `poison`, and takes three seconds for others, which fail. */
describeOnRig('commands that RabbitMQ delivers again', () => {
  let rig: Rig;
  let proxy: BrokerProxy;
  let node: NodeProcess;
  let client: WireClient;
  /** Answers the node's question whether it lives, which comes before the mount. */
  let server: DeafNfsServer;
  let directory: string;
  const lines = (file: string): number => readFileSync(join(directory, file), 'utf8').split('\n').length - 1;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['broker'] });
    proxy = await BrokerProxy.start(rig.broker.url);
    server = await DeafNfsServer.start();
    directory = await rig.subdirectory('node');
    const program = join(directory, 'rootwrap');
    const script = `#!/bin/sh
cd ${directory}
case "$*" in mount*poison*) echo died >> deaths; kill -9 "$(cat pid)"; exit 32;; esac
if [ "$1" = mount ]; then echo begun >> begun; sleep 3; fi
exit 32
`;
    await writeFile(program, script, { mode: 0o755 });
    node = new NodeProcess({
      host: HOST,
      directory,
      brokerUrl: proxy.url,
      settings: { DMS_ROOTWRAP: program },
    });
    client = await WireClient.open(rig.broker.url, HOST);
    await start();
  }, 60_000);

  beforeEach(async () => {
    for (const file of ['deaths', 'begun']) await writeFile(join(directory, file), '');
  });
  afterAll(async () => {
    await client?.close();
    await node?.stop();
    await proxy?.stop();
    await server?.stop();
    await rig?.stop();
  });

  async function start(): Promise<void> {
    await node.start();
    await writeFile(join(directory, 'pid'), String(node.pid));
  }
  /** The broker delivers each command again whose node has died; this one would die again. */
  async function startAgain(): Promise<void> {
    await node.ended(SOON.timeoutMs);
    await start();
  }
  const mount = (id: string, dms?: Record<string, unknown>): Record<string, unknown> => ({
    ...{ action: 'mount', host: HOST, job: { jobid: 1 } },
    backup_target: {
      ...{ id, type: 'nfs', filesystem_export: `127.0.0.1:/${id}` },
      nfs_mount_opts: `port=${server.port}`,
    },
    ...(dms === undefined ? {} : { dms }),
  });
  const envelope = (incarnation: string, epoch: number): Record<string, unknown> => ({
    ...{ protocol: 1, incarnation, epoch },
    ...{ operation_id: randomUUID(), deadline_ms: 20_000 },
  });
  const queued = async (): Promise<{ messages: number; messages_unacknowledged: number }> => {
    const queue = (await rig.broker.queues()).find(({ name }) => name === `dms.${HOST}`);
    if (queue === undefined) throw new Error('The queue is gone');
    return queue;
  };
  const isServing = async (): Promise<void> => {
    expect((await client.call('{"action":"inventory"}')).body.status).toBe('success');
    expect((await queued()).messages).toBe(0);
    expect(await node.ready()).toBe(true);
  };
  const legacy = (reply: WireReply): unknown => {
    expect(Object.keys(reply.body)).toEqual(THREE_KEYS);
    return reply.body.error_msg;
  };
  /** Sends to a node that gets the message and dies before it has read it. */
  const unread = async (send: () => void): Promise<void> => {
    node.signal('SIGSTOP');
    send();
    await waitFor(async () => (await queued()).messages_unacknowledged === 1, {
      ...SOON,
      what: 'the message to be delivered',
    });
    node.signal('SIGKILL');
    await startAgain();
  };

  it('answers a command that kills the node after one redelivery, and serves others', async () => {
    const reply = client.call(mount('poison'));
    await startAgain();
    expect(legacy(await reply)).toBe(DELIVERED_BEFORE);
    expect(lines('deaths')).toBe(1);
    await isServing();
  });

  it('answers a malformed body that it was killed with, without reading it', async () => {
    for (const body of ['not json', '['.repeat(100_000)]) {
      let reply: Promise<WireReply> | undefined;
      await unread(() => {
        reply = client.call(body);
      });
      if (reply === undefined) throw new Error('Nothing was sent');
      expect(legacy(await reply)).toBe(DELIVERED_BEFORE);
    }
    await isServing();
  }, 90_000);

  it('makes no mount for a Python caller that has gone while its node was started again', async () => {
    const caller = await WireClient.open(rig.broker.url, HOST);
    await unread(() => caller.send(mount('gone'), { replyTo: caller.replyTo, correlationId: randomUUID() }));
    await caller.close();
    await isServing();
    expect(lines('begun')).toBe(0);
    expect(existsSync(join(node.base, 'gone'))).toBe(false);
  });

  it('leaves what became of a command with an epoch open, so that its sender settles it', async () => {
    const { incarnation } = await nextHello(client.channel, HOST);
    const reply = client.call(mount('poison', envelope(incarnation, 1)), { expiration: '60000' });
    await startAgain();
    expect((await reply).body).toMatchObject({
      ...{ error_code: 'TIMEOUT', error_msg: DELIVERED_BEFORE, acted: true, incarnation, node: HOST },
    });
    expect(lines('deaths')).toBe(1);
    const fence = { action: 'fence', backup_target: { id: 'poison' }, dms: envelope(incarnation, 2) };
    expect((await client.call(fence)).body).toMatchObject({ status: 'success', mount: { state: 'absent' } });
  });

  it('carries a command of its own queue out once, also if its sender sends it to the next queue', async () => {
    const first = await nextHello(client.channel, HOST, ({ command_queue }) => command_queue !== undefined);
    const { incarnation, command_queue } = first;
    const command = mount('poison-2', envelope(incarnation, 1));
    const own = await WireClient.open(rig.broker.url, HOST, String(command_queue));
    own.send(command, { replyTo: own.replyTo, correlationId: randomUUID(), expiration: '60000' });
    await startAgain();
    await own.close();
    const isNext = (hello: Hello): boolean =>
      hello.command_queue !== undefined && hello.command_queue !== command_queue;
    const { command_queue: next } = await nextHello(client.channel, HOST, isNext);
    const again = await WireClient.open(rig.broker.url, HOST, String(next));
    expect((await again.call(command, { expiration: '60000' })).body).toMatchObject({
      error_code: 'TIMEOUT',
      error_msg: 'The mount was received before, and its outcome is not known',
    });
    await again.close();
    expect(lines('deaths')).toBe(1);
  });

  it('answers a legacy command that it works on when only its connection was cut', async () => {
    const reply = client.call(mount('cut'));
    await waitFor(() => lines('begun') === 1, { ...SOON, what: 'the mount to begin' });
    proxy.cut();
    const text = legacy(await reply);
    expect(text).not.toBe(DELIVERED_BEFORE);
    expect(text).toEqual(expect.any(String));
    await isServing();
  }, 60_000);
});
