import { randomUUID } from 'node:crypto';
import { asHello, type Hello, parseReply } from '@app/contracts';
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
    expect(hello).toMatchObject({ node: HOST, protocol: 1, bases: [node.base], public_key: null });
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

  it('refuses to start beside another on the same run directory, at once', async () => {
    const second = await newNode('one');
    await second.launch();
    expect(await second.ended(10_000)).toBe('ended with status 1');
    expect(await second.log()).toMatch(/dms-server is running already on this run directory, as process \d+/);
    await answered();
  });

  it('refuses to start beside another with the same node id, after two heartbeats', async () => {
    const second = await newNode('two');
    await second.launch();
    expect(await second.ended(30_000)).toBe('ended with status 1');
    expect(await second.log()).toContain('two nodes must not have the same DMS_NODE_ID');
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
});
