import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asHello, type Hello, isCommandQueueOf, parseReply } from '@app/contracts';
import { DeafNfsServer } from '../fleet/deaf-nfs-server';
import { NodeProcess } from '../fleet/node-process';
import { WireClient } from '../fleet/wire-client';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const HOST = 'broker-node';

/** On a broker of its own, which it stops and breaks. */
describeOnRig('dms-server and its broker', () => {
  let rig: Rig;
  let node: NodeProcess;
  let client: WireClient;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['broker'] });
    node = await newNode('one');
    await node.start();
    client = await WireClient.open(rig.broker.url, HOST);
  });

  afterAll(async () => {
    await client.close();
    await node.stop();
    await rig.stop();
  });

  const newNode = async (name: string, settings: Record<string, string> = {}): Promise<NodeProcess> =>
    new NodeProcess({
      host: HOST,
      directory: await rig.subdirectory(name),
      brokerUrl: rig.broker.url,
      settings,
    });

  const nextHello = async (): Promise<Hello> => {
    const { queue } = await client.channel.assertQueue('', { exclusive: true });
    await client.channel.bindQueue(queue, 'dms.events', 'hello.#');
    const message = await waitFor(() => client.channel.get(queue, { noAck: true }), {
      timeoutMs: 10_000,
      what: 'a hello',
    });
    expect(message.properties).toMatchObject({ expiration: '6000', deliveryMode: 1 });
    expect(message.fields.routingKey).toBe(`hello.${HOST}`);
    const hello = asHello(JSON.parse(message.content.toString()));
    if (hello === null) throw new Error('The message was no hello');
    return hello;
  };

  const look = (action: 'probe' | 'fence', incarnation: string | null, epoch: number) => ({
    action,
    backup_target: { id: 't1' },
    dms: { protocol: 1, incarnation, epoch, operation_id: randomUUID(), deadline_ms: 5000 },
  });

  /** Asks again until somebody answers, as the queue may be deaf for a moment. */
  const answered = async (): Promise<void> => {
    await waitFor(async () => (await node.ready()) || null, { timeoutMs: 30_000, what: 'the node' });
    expect((await client.call('{"action":"inventory"}')).body.status).toBe('success');
  };

  it('says hello, and keeps its incarnation across restarts', async () => {
    const hello = await nextHello();
    expect(hello).toMatchObject({ node: HOST, protocol: 1, bases: [node.base] });
    expect(hello.public_key).toMatchObject({ kty: 'OKP', crv: 'X25519' });
    expect(hello.signing_key).toMatchObject({ kty: 'OKP', crv: 'Ed25519' });
    await node.stop();
    await node.start();
    expect((await nextHello()).incarnation).toBe(hello.incarnation);
  });

  it('answers those who know epochs with more, the three keys first', async () => {
    const { incarnation } = await nextHello();
    const reply = await client.call(look('fence', incarnation, 1));
    expect(Object.keys(reply.body).slice(0, 3)).toEqual(['status', 'error_msg', 'success_msg']);
    expect(parseReply(reply.body)).toMatchObject({
      kind: 'node',
      reply: { status: 'success', epoch: 1, incarnation, node: HOST, mount: { state: 'absent', epoch: 1 } },
    });
    const stale = await client.call(look('fence', incarnation, 1));
    expect(stale.body).toMatchObject({ status: 'error', error_code: 'STALE_EPOCH', epoch: 1, acted: false });
    const stranger = await client.call(look('fence', null, 9));
    expect(stranger.body).toMatchObject({ error_code: 'STALE_EPOCH', incarnation });
    expect((await client.call(look('probe', null, 0))).body).toMatchObject({ status: 'success' });
  });

  it('declares a queue again that somebody deleted', async () => {
    await client.channel.deleteQueue(`dms.${HOST}`);
    await waitFor(async () => (await node.log()).includes('was deleted'), {
      timeoutMs: 10_000,
      what: 'a line of the log',
    });
    await client.channel.assertQueue(`dms.${HOST}`, { durable: true });
    await answered();
  });

  /** Asks the node by the queue that its newest hello names. */
  const callByOwnQueue = async (): Promise<Record<string, unknown>> => {
    const { command_queue } = await nextHello();
    const own = await WireClient.open(rig.broker.url, HOST, String(command_queue));
    try {
      return (await own.call('{"action":"inventory"}')).body;
    } finally {
      await own.close();
    }
  };

  it('consumes a queue of its own, new for each connection, which its hello names', async () => {
    const { command_queue: before } = await nextHello();
    expect(isCommandQueueOf(HOST, String(before))).toBe(true);
    expect(await callByOwnQueue()).toMatchObject({ status: 'success' });
    await rig.broker.closeConnections('test');
    await client.close();
    client = await WireClient.open(rig.broker.url, HOST);
    await answered();
    const after = await waitFor(async () => (await nextHello()).command_queue ?? null, {
      timeoutMs: 30_000,
      what: 'a hello with a queue',
    });
    expect(after).not.toBe(before);
    const names = (await rig.broker.queues()).map(({ name }) => name);
    expect(names.filter((name) => isCommandQueueOf(HOST, name))).toEqual([after]);
  });

  it('serves on by its own queue while dms.<host> is lost, says so, and takes that up again', async () => {
    const legacyQueue = async (): Promise<unknown> => {
      const { details } = (await (await fetch(`${node.healthUrl}/ready`)).json()) as {
        details: Record<string, unknown>;
      };
      return details.legacy_queue;
    };
    const gauge = async (): Promise<string | undefined> =>
      /^dms_node_legacy_queue_up\S* (\d)$/m.exec(
        await (await fetch(new URL('/metrics', node.healthUrl))).text(),
      )?.[1];
    expect(await legacyQueue()).toEqual({ status: 'up' });
    expect(await gauge()).toBe('1');
    // Another declaration keeps the node away from it, as a home broker does that is down.
    await client.channel.deleteQueue(`dms.${HOST}`);
    await client.channel.assertQueue(`dms.${HOST}`, { durable: false });
    await waitFor(async () => (await nextHello()).legacy_queue_lost, {
      timeoutMs: 30_000,
      what: 'a hello that tells of the loss',
    });
    expect(await node.ready()).toBe(true);
    expect(await legacyQueue()).toMatchObject({
      status: 'up',
      warning: expect.stringMatching(/dms\.broker-node is lost: .*rabbitmqctl set_policy ha/) as unknown,
    });
    expect(await gauge()).toBe('0');
    expect(await node.log()).toContain('rabbitmqctl set_policy ha');
    expect(await callByOwnQueue()).toMatchObject({ status: 'success' });
    await client.channel.deleteQueue(`dms.${HOST}`);
    await waitFor(async () => ((await gauge()) === '1' ? true : null), {
      timeoutMs: 45_000,
      what: 'the queue to be consumed again',
      intervalMs: 200,
    });
    await answered();
    expect(await legacyQueue()).toEqual({ status: 'up' });
    const { legacy_queue_lost } = await nextHello();
    expect(legacy_queue_lost).toBeUndefined();
  }, 120_000);

  it('refuses to start beside another on the same run directory, at once', async () => {
    const second = await newNode('one');
    await second.launch();
    expect(await second.ended(10_000)).toBe('ended with status 1');
    expect(await second.log()).toMatch(/dms-server is running already on this run directory, as process \d+/);
    await answered();
  });

  /** A second server, which ends, and the incarnations of which hellos told meanwhile. */
  const besideAnother = async (name: string): Promise<Set<string>> => {
    const { queue } = await client.channel.assertQueue('', { exclusive: true });
    await client.channel.bindQueue(queue, 'dms.events', 'hello.#');
    const second = await newNode(name);
    await second.launch();
    expect(await second.ended(30_000)).toBe('ended with status 1');
    expect(await second.log()).toContain('two nodes must not have the same DMS_NODE_ID');
    const heard = new Set<string>();
    for (;;) {
      const message = await client.channel.get(queue, { noAck: true });
      if (message === false) return heard;
      heard.add(String(asHello(JSON.parse(message.content.toString()))?.incarnation));
    }
  };

  it('refuses to start beside another with the same node id, after two heartbeats, and says no hello', async () => {
    const { incarnation } = await nextHello();
    expect(await besideAnother('two')).toEqual(new Set([incarnation]));
    await answered();
  });

  it('refuses to start beside another with the same node id while dms.<host> is lost', async () => {
    // A queue that its home broker has lost keeps nobody away: here nobody consumes it either.
    await client.channel.deleteQueue(`dms.${HOST}`);
    await client.channel.assertQueue(`dms.${HOST}`, { durable: false });
    await waitFor(async () => (await nextHello()).legacy_queue_lost, {
      timeoutMs: 30_000,
      what: 'a hello that tells of the loss',
    });
    const { incarnation } = await nextHello();
    expect(await besideAnother('three')).toEqual(new Set([incarnation]));
    await client.channel.deleteQueue(`dms.${HOST}`);
    await client.channel.assertQueue(`dms.${HOST}`, { durable: true });
    await answered();
  });

  it('starts again without a wait after it was killed', async () => {
    node.signal('SIGKILL');
    await node.ended(5_000);
    const begun = performance.now();
    await node.start();
    expect(performance.now() - begun).toBeLessThan(10_000);
    await answered();
  });

  it('comes back by itself when the broker was killed', async () => {
    await rig.broker.kill();
    await waitFor(async () => !(await node.ready()), { timeoutMs: 10_000, what: 'the node to notice' });
    expect((await fetch(`${node.healthUrl}/live`)).status).toBe(200);
    await rig.broker.start();
    await client.close();
    client = await WireClient.open(rig.broker.url, HOST);
    await answered();
  });

  it('ends with status 0 on SIGTERM, and starts without a broker', async () => {
    const pid = node.pid;
    process.kill(pid, 'SIGTERM');
    expect(await node.ended(20_000)).toBe('ended with status 0');
    await rig.broker.stop();
    await node.launch();
    await waitFor(async () => (await node.log()).includes('cannot be reached'), {
      timeoutMs: 10_000,
      what: 'the node to look for its broker',
    });
    await rig.broker.start();
    await client.close();
    client = await WireClient.open(rig.broker.url, HOST);
    await answered();
  });

  describe('with a command in flight', () => {
    const host = 'slow-node';
    let slow: NodeProcess;
    let sender: WireClient;
    /** Answers the node's question whether it lives, which comes before the mount. */
    let server: DeafNfsServer;

    beforeEach(async () => {
      server = await DeafNfsServer.start();
      const directory = await rig.subdirectory('slow');
      const program = join(directory, 'slow');
      await writeFile(program, `#!/bin/sh\nif [ "$1" = mount ]; then sleep 3; fi\nexit 32\n`, {
        mode: 0o755,
      });
      const settings = { DMS_ROOTWRAP: program, DMS_PREFETCH: '8' };
      slow = new NodeProcess({ host, directory, brokerUrl: rig.broker.url, settings });
      await slow.start();
      sender = await WireClient.open(rig.broker.url, host);
    });

    afterEach(async () => {
      await server?.stop();
      await sender.close();
      await slow.stop();
    });

    /** A mount with the next epoch, and the incarnation that the node has. */
    const mount = async (id: string) => {
      const probe = await sender.call({ ...look('probe', null, 0), backup_target: { id } });
      const { incarnation, mount: seen } = probe.body as { incarnation: string; mount: { epoch: number } };
      return {
        action: 'mount',
        host,
        job: { jobid: 1 },
        backup_target: {
          ...{ id, type: 'nfs', filesystem_export: '127.0.0.1:/export' },
          nfs_mount_opts: `port=${server.port}`,
        },
        dms: { ...look('fence', incarnation, seen.epoch + 1).dms, deadline_ms: 20_000 },
      };
    };

    const begun = (id: string): Promise<unknown> =>
      waitFor(() => existsSync(join(slow.base, id)), { timeoutMs: 10_000, what: 'the mount to begin' });

    it('answers BUSY to a Python program that has a quarter of the commands already, and serves others', async () => {
      const greedy = await WireClient.open(rig.broker.url, host);
      const { dms: _, ...legacy } = await mount('greedy');
      const sent = Array.from({ length: 8 }, (_value, index) =>
        greedy.call({ ...legacy, backup_target: { ...legacy.backup_target, id: `greedy-${index}` } }),
      );
      expect((await sender.call('{"action":"inventory"}')).body.status).toBe('success');
      const texts = (await Promise.all(sent)).map(({ body }) => String(body.error_msg));
      const busy = texts.filter((text) => /2 commands of this caller are under way already/.test(text));
      expect(busy).toHaveLength(6);
      await greedy.close();
    });

    it('answers it before it ends', async () => {
      const reply = sender.call(await mount('drained'));
      await begun('drained');
      slow.signal('SIGTERM');
      expect((await reply).body).toMatchObject({ status: 'error', mount: { state: 'absent' }, acted: true });
      expect(await slow.ended(10_000)).toBe('ended with status 0');
    });

    it('does not repeat it when it was killed', async () => {
      const reply = sender.call(await mount('killed'), { expiration: '60000' });
      await begun('killed');
      slow.signal('SIGKILL');
      await slow.ended(5_000);
      await slow.start();
      expect((await reply).body).toMatchObject({
        error_code: 'TIMEOUT',
        error_msg: 'The command was delivered before, and its outcome is not known: send it again',
        acted: true,
      });
    });
  });
});
