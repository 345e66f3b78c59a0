import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { BrokerProxy } from '../fleet/broker-proxy';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { NodeProcess } from '../fleet/node-process';
import { type S3Target } from '../fleet/targets';
import { WireClient } from '../fleet/wire-client';
import { describeOnRig } from './on-rig';

const FLOOD = 3_000;
/** Those of the node's two queues, of its claim, of its hellos and of its checks, and one to spare. */
const CHANNELS = 6;

/** The node's broker counts the channels that it opens: with one for each check the broker refused further ones. */
describeOnRig('a flood of commands of callers that are gone', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let proxy: BrokerProxy;
  let node: NodeProcess;
  let python: WireClient;
  let target: S3Target;
  let jobid = 0;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodes: 0 });
    jobs = new Jobs(fleet);
    proxy = await BrokerProxy.start(fleet.brokerUrl);
    node = new NodeProcess({
      host: `flooded-${randomUUID().slice(0, 8)}`,
      directory: join(fleet.directory, 'flooded'),
      brokerUrl: proxy.url,
      authUrl: rig.cloud?.authUrl,
    });
    fleet.nodes.push(node);
    await node.start();
    await fleet.acquainted();
    target = await fleet.targets.s3('flooded');
    python = await WireClient.open(fleet.brokerUrl, node.host);
  }, 90_000);

  afterAll(async () => {
    await python?.close();
    await fleet?.stop();
    await proxy?.stop();
  });

  /** A small mount as a Python program sends it; nothing of it can be done. */
  const small = (index: number): Record<string, unknown> => ({
    action: 'mount',
    backup_target: { id: `flood-${index}`, type: 'nfs', filesystem_export: '127.0.0.1:/none' },
  });
  const flood = (replyTo: (index: number) => string): void => {
    for (let index = 0; index < FLOOD; index += 1)
      python.send(small(index), { replyTo: replyTo(index), correlationId: randomUUID() });
  };
  const ended = async (): Promise<string> => {
    const caller = await WireClient.open(fleet.brokerUrl, node.host);
    await caller.close();
    return caller.replyTo;
  };
  /** A Python program and a job of ours are served while the flood stands. */
  const servesOthers = async (): Promise<void> => {
    jobid += 1;
    const request = await fleet.targets.request(node.host, jobid, target);
    const [legacy, ours] = await Promise.all([
      python.call({ ...request, action: 'unmount', backup_target: { id: 'other', type: 'nfs' } }),
      jobs.mount(jobid, target),
    ]);
    expect(legacy.body).toMatchObject({ status: 'success', error_msg: null });
    expect(ours.body).toMatchObject({ status: 'success', physically_mounted: true });
    expect((await jobs.unmount(jobid, target)).body).toMatchObject({ unmounted: true });
  };
  const standsAsBefore = async (): Promise<void> => {
    expect(await node.ready()).toBe(true);
    const { messageCount, consumerCount } = await python.channel.checkQueue(`dms.${node.host}`);
    expect([messageCount, consumerCount]).toEqual([0, 1]);
    expect(proxy.mostOpen).toBeLessThanOrEqual(CHANNELS);
  };
  const commands = async (action: string): Promise<number> => {
    const page = await (await fetch(new URL('/metrics', node.healthUrl))).text();
    const lines = page.split('\n').filter((line) => line.startsWith('dms_node_commands_total{'));
    const own = lines.filter((line) => line.includes(`action="${action}"`));
    return own.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };

  it('drops 3,000 small legacy commands whose caller is gone, and serves others meanwhile', async () => {
    const gone = await ended();
    const before = await commands('dropped');
    proxy.count();
    flood(() => gone);
    await servesOthers();
    await standsAsBefore();
    expect(await commands('dropped')).toBe(before + FLOOD);
    // One answer is for all that had come by then.
    expect(proxy.opened).toBeLessThan(FLOOD / 2);
  }, 120_000);

  it('drops 3,000 commands of as many callers that are gone, over one channel at a time', async () => {
    const before = await commands('dropped');
    proxy.count();
    flood(() => `gone-${randomUUID()}`);
    await servesOthers();
    await standsAsBefore();
    expect(await commands('dropped')).toBe(before + FLOOD);
  }, 120_000);

  it('answers each command of a living caller between those of callers that are gone', async () => {
    const gone = await ended();
    const before = await commands('dropped');
    proxy.count();
    const replies = [];
    for (let index = 0; index < FLOOD; index += 1) {
      const isOurs = index % 100 === 0;
      const body = isOurs ? { ...small(index), action: 'unmount' } : small(index);
      if (isOurs) replies.push(python.call(body));
      else python.send(body, { replyTo: gone, correlationId: randomUUID() });
    }
    await servesOthers();
    for (const { body } of await Promise.all(replies)) expect(body.status).toBe('success');
    await standsAsBefore();
    expect(await commands('dropped')).toBe(before + FLOOD - replies.length);
  }, 120_000);
});
