import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChannelModel, connect } from 'amqplib';
import { EventReader } from '../fleet/event-reader';
import { Fleet } from '../fleet/fleet';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** An event is promised within two seconds; a promise is asserted at three times its value. */
const NOTICED_MS = 3 * 2_000;

interface Held {
  readonly target: S3Target;
  readonly path: string;
  readonly jobid: number;
  readonly epoch: number;
}

describeOnRig('events', (rig) => {
  let fleet: Fleet;
  let broker: ChannelModel;
  let reader: EventReader;
  let job = 0;
  /** Texts of all messages of the exchange. */
  const published: { key: string; text: string }[] = [];

  beforeAll(async () => {
    // What is noticed here is noticed by events: nothing else looks.
    const clientSettings = { DMS_RECONCILE_INTERVAL: '0', DMS_SETTLE_INTERVAL: '0.5' };
    fleet = await Fleet.start(rig, { clients: 2, clientSettings });
    broker = await connect(fleet.brokerUrl);
    const channel = await broker.createChannel();
    await channel.assertExchange('dms.events', 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'dms.events', `event.*.${fleet.node.host}`);
    await channel.bindQueue(queue, 'dms.events', `state.*.${fleet.node.host}`);
    await channel.bindQueue(queue, 'dms.events', `hello.${fleet.node.host}`);
    await channel.consume(
      queue,
      (message) =>
        message && published.push({ key: message.fields.routingKey, text: message.content.toString() }),
      { noAck: true },
    );
    // The subscriber of one client; what is asked for is asked of the other.
    reader = await EventReader.open(`${fleet.clients[1].url}/api/v1/events?host=${fleet.node.host}`);
  });
  afterAll(async () => {
    await reader?.close();
    await broker?.close();
    await fleet?.stop();
  });

  const mounted = async (): Promise<Held> => {
    const target = await fleet.targets.s3('events');
    job += 1;
    const request = await fleet.targets.request(fleet.node.host, job, target);
    const { body } = await fleet.api.post('/api/v1/mount', request);
    expect(body).toMatchObject({ status: 'success' });
    return { target, path: String(body.mount_path), jobid: job, epoch: Number(body.epoch) };
  };
  const bindingState = async ({ target, jobid }: Held): Promise<unknown> =>
    (await fleet.api.get(`/api/v1/bindings/${jobid}/${target.id}`)).body.state;
  const kindsOf = ({ target }: Held): string[] =>
    reader.events.filter(({ backup_target_id }) => backup_target_id === target.id).map(({ kind }) => kind);
  const nodeEvents = (held: Held): Record<string, unknown>[] =>
    published
      .filter(({ key }) => key.startsWith('event.'))
      .map(({ text }) => JSON.parse(text) as Record<string, unknown>)
      .filter(({ backup_target_id }) => backup_target_id === held.target.id);
  /** A hello that says that the mount table changed makes clients look, too: by the second one after it they have. */
  const settled = async (): Promise<void> => {
    const hellos = (): number => published.filter(({ key }) => key.startsWith('hello.')).length;
    const before = hellos();
    await waitFor(() => hellos() >= before + 2, { timeoutMs: 3 * 4_000, what: 'two hellos' });
  };
  /** The node told of it, the binding is lost, and a subscriber knows; all within what is promised. */
  const noticed = async (held: Held, event: string): Promise<void> => {
    await waitFor(async () => (await bindingState(held)) === 'lost' && kindsOf(held).includes('lost'), {
      timeoutMs: NOTICED_MS,
      what: `the binding to be lost, and its subscriber to be told (${kindsOf(held).join()})`,
    });
    expect(nodeEvents(held)).toContainEqual(
      expect.objectContaining({ event, node: fleet.node.host, epoch: held.epoch, mount_path: held.path }),
    );
  };

  it('tell a subscriber of one client what another one did', async () => {
    const held = await mounted();
    const request = await fleet.targets.request(fleet.node.host, held.jobid, held.target);
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
    const all = [
      'operation_begun',
      'mounted',
      'operation_ended',
      'released',
      'operation_begun',
      'unmounted',
      'operation_ended',
    ];
    await waitFor(() => kindsOf(held).length >= all.length, { timeoutMs: 10_000, what: 'all events' });
    expect(kindsOf(held)).toEqual(all);
    expect(reader.events.find(({ kind }) => kind === 'released')).toMatchObject({
      host: fleet.node.host,
      backup_target_id: held.target.id,
      jobids: [held.jobid],
      operation: null,
    });
    expect(reader.events.findLast(({ kind }) => kind === 'operation_ended')).toMatchObject({
      jobids: [held.jobid],
      operation: { action: 'unmount', status: 'success', error_code: null },
    });
  });

  it('tell that a FUSE daemon was killed, whose line in the mount table stays', async () => {
    const held = await mounted();
    await settled();
    const pidFile = join(fleet.node.pidDirectory, `${held.target.id}.pid`);
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
    await noticed(held, 'broken');
    expect(kindsOf(held)).toContain('broken');
    await waitFor(() => kindsOf(held).includes('unmounted'), {
      timeoutMs: 30_000,
      what: 'the broken layer to be taken out',
    });
  });

  it('tell that a stranger took a mount away', async () => {
    const held = await mounted();
    await settled();
    execFileSync('umount', [held.path]);
    await noticed(held, 'vanished');
  });

  it('are told to those whom they concern', async () => {
    const other = await EventReader.open(`${fleet.clients[0].url}/api/v1/events?jobid=${job + 2}`);
    try {
      await mounted();
      const held = await mounted();
      await waitFor(() => other.events.some(({ kind }) => kind === 'operation_ended'), {
        timeoutMs: 10_000,
        what: 'the events of the job',
      });
      expect(other.events.every(({ jobids }) => jobids.includes(held.jobid))).toBe(true);
      await fleet.api.delete(`/api/v1/jobs/${held.jobid}/bindings`);
      await fleet.api.delete(`/api/v1/jobs/${held.jobid - 1}/bindings`);
      // By way of the broker, which this client's own events have taken, too: it has told them once nevertheless.
      await waitFor(() => kindsOf(held).includes('unmounted'), { timeoutMs: 10_000, what: 'the unmount' });
      const ids = other.events.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
    } finally {
      await other.close();
    }
  });

  it('that are asked for with a wrong filter are refused', async () => {
    const { status, body } = await fleet.api.get('/api/v1/events?job=1');
    expect({ status, code: body.error_code }).toEqual({ status: 400, code: 'VALIDATION_FAILED' });
  });

  it('hold nothing that is secret', async () => {
    const token = await fleet.targets.cloud.token('owner');
    const texts = [reader.text, ...published.map(({ text }) => text)];
    for (const secret of [token, rig.s3?.secretKey, rig.s3?.accessKey, 'secret_ref', '/v1/secrets/']) {
      expect(secret).toBeTruthy();
      expect(texts.filter((text) => text.includes(String(secret)))).toEqual([]);
    }
  });

  it('do not keep a client from stopping', async () => {
    const began = performance.now();
    await fleet.clients[1].stop();
    expect(performance.now() - began).toBeLessThan(10_000);
    await waitFor(() => reader.ended, { timeoutMs: 5_000, what: 'the stream to end' });
  });
});
