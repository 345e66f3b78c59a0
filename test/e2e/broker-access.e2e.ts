import { type JsonWebKey, randomUUID } from 'node:crypto';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  HELLO_INTERVAL_MS,
  isCommandQueueOf,
  type KeyPair,
  keyPairOf,
  newCommandQueue,
  SIGNATURE_HEADER,
  type SignedMessage,
  signMessage,
} from '@app/contracts';
import { type Channel, type ChannelModel, connect, type Options } from 'amqplib';
import { announced } from '../fleet/announced';
import { type Api } from '../fleet/api';
import { type ClientProcess } from '../fleet/client-process';
import { type BrokerAccount, makeClientAccount, makeNodeAccount } from '../fleet/documented-permissions';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type NodeProcess } from '../fleet/node-process';
import { PythonNode } from '../fleet/python-node';
import { type S3Target } from '../fleet/targets';
import { type TappedMessage, Wiretap } from '../fleet/wiretap';
import { makeDirectory, Rig, runCommand, waitFor, within } from '../rig';
import { describeOnRig } from './on-rig';

const HOST = 'compute-01';
const NEIGHBOUR = 'compute-02';
const SOON_MS = 30_000;
/** A changed file of keys is noticed within two seconds; it is asserted at three times that. */
const NOTICED_MS = 3 * 2_000;

/** A broker with the accounts that docs/SECURITY.md tells how to make, and nodes that obey signed commands only. */
describeOnRig('a broker that is shared with care', (shared) => {
  let rig: Rig;
  let fleet: Fleet;
  let tap: Wiretap;
  let node: NodeProcess;
  let neighbour: NodeProcess;
  let neighbourAccount: BrokerAccount;
  let intruder: ChannelModel;
  let target: S3Target;
  let clientKey: string;
  let trustedFile: string;
  let signing: Record<string, string>;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['broker'] });
    fleet = await Fleet.start({ ...shared, brokerUrl: rig.broker.url }, { nodes: 0, clients: 0 });
    const client = await makeClientAccount(rig.broker);
    const account = await makeNodeAccount(rig.broker, HOST);
    neighbourAccount = await makeNodeAccount(rig.broker, NEIGHBOUR);
    tap = await Wiretap.on(rig.broker);
    const files = await writeKeys(join(fleet.directory, 'keys'));
    clientKey = files.privatePem;
    trustedFile = files.trusted;
    const strict = { DMS_REQUIRE_SIGNED: 'true', DMS_TRUSTED_KEYS_FILE: files.trusted };
    node = fleet.addNode({ ...strict, DMS_RABBITMQ_URL: account.url }, HOST);
    neighbour = fleet.addNode({ ...strict, DMS_RABBITMQ_URL: neighbourAccount.url }, NEIGHBOUR);
    signing = {
      DMS_RABBITMQ_URL: client.url,
      DMS_SIGNING_KEY_FILE: files.signing,
      // Nothing but an event is to tell of a death.
      DMS_RECONCILE_INTERVAL: '0',
    };
    await Promise.all([node.start(), neighbour.start(), fleet.addClient(signing).start()]);
    await fleet.acquainted();
    intruder = await connect(neighbourAccount.url);
    intruder.on('error', () => undefined);
    target = await fleet.targets.s3('guarded');
  }, 120_000);

  afterAll(async () => {
    await intruder?.close();
    await tap?.off();
    await fleet?.stop();
    await rig?.stop();
  });

  const ask = async (action: 'mount' | 'unmount', jobid: number) =>
    (await fleet.api.post(`/api/v1/${action}`, await fleet.targets.request(HOST, jobid, target))).body;
  const layers = (): number => mountsBelow(node.base).length;

  /** What a node answers to a message that its neighbour's account publishes into its queue. */
  const answerTo = async (
    queue: string,
    content: Buffer,
    options: Options.Publish = {},
  ): Promise<Record<string, unknown>> => {
    const channel = await intruder.createChannel();
    let answered: (body: Record<string, unknown>) => void = () => undefined;
    const answer = new Promise<Record<string, unknown>>((resolve) => (answered = resolve));
    // The one way to hear of a reply with such an account.
    await channel.consume(
      'amq.rabbitmq.reply-to',
      (message) => answered(JSON.parse(String(message?.content)) as Record<string, unknown>),
      { noAck: true },
    );
    channel.sendToQueue(queue, content, { replyTo: 'amq.rabbitmq.reply-to', ...options });
    try {
      return await within(answer, SOON_MS, 'the answer of a node');
    } finally {
      await channel.close();
    }
  };

  const nextHellos = async (count: number): Promise<void> => {
    const hellos = (): number =>
      tap.messages.filter(({ routingKey }) => routingKey === `hello.${HOST}`).length;
    const before = hellos();
    await waitFor(() => hellos() >= before + count, { timeoutMs: SOON_MS, what: `${count} hellos` });
  };

  const mountCommand = (id: string, incarnation: string, epoch: number) => ({
    action: 'mount',
    host: HOST,
    job: { jobid: 99 },
    backup_target: { id, type: 'nfs', filesystem_export: '127.0.0.1:/export' },
    dms: { protocol: 1, incarnation, epoch, operation_id: randomUUID(), deadline_ms: 20_000 },
  });

  const incarnation = async (): Promise<string> =>
    (await fleet.api.get<{ incarnation: string }>(`/api/v1/nodes/${HOST}`)).body.incarnation;

  it('lets the main job through', async () => {
    expect(await ask('mount', 1)).toMatchObject({ status: 'success', reused_existing: false });
    expect(await ask('mount', 2)).toMatchObject({ status: 'success', reused_existing: true });
    expect(layers()).toBe(1);
    expect(await ask('unmount', 1)).toMatchObject({ active_mounts_remaining: 1 });
    expect(await ask('unmount', 2)).toMatchObject({ unmounted: true });
    expect(layers()).toBe(0);
    expect((await fleet.api.get(`/api/v1/nodes/${HOST}`)).body).toMatchObject({
      state: 'up',
      error_code: null,
    });
  }, 60_000);

  it('lets the events of nodes through', async () => {
    await ask('mount', 1);
    // A hello that tells of another mount table makes the client look, too: by the second one after it it has.
    await nextHellos(2);
    process.kill((await daemon()).pid, 'SIGKILL');
    const binding = async (): Promise<unknown> =>
      (
        await fleet.query<{ state: string }>(
          'SELECT state FROM backup_target_mount_ledger WHERE backup_target_id = ? AND jobid = 1',
          [target.id],
        )
      ).at(0)?.state;
    await waitFor(async () => (await binding()) === 'lost', {
      timeoutMs: SOON_MS,
      what: 'the death of the daemon to be told',
    });
    expect(tap.messages.map(({ routingKey }) => routingKey)).toContainEqual(
      expect.stringMatching(new RegExp(`^event\\.(broken|vanished)\\.${HOST}$`)),
    );
    await ask('unmount', 1);
  }, 60_000);

  it.each<[string, (channel: Channel) => Promise<unknown>]>([
    ['consume the queue of another', (channel) => channel.consume(`dms.${HOST}`, () => undefined)],
    ['take a message from it', (channel) => channel.get(`dms.${HOST}`)],
    ['purge it', (channel) => channel.purgeQueue(`dms.${HOST}`)],
    ['declare one that the clients would take for its own', (channel) => declared(channel, HOST)],
    ['delete it', (channel) => channel.deleteQueue(`dms.${HOST}`)],
    [
      'hear what others announce',
      async (channel) => {
        const { queue } = await channel.assertQueue('', { exclusive: true });
        await channel.bindQueue(queue, 'dms.events', '#');
      },
    ],
    ['say hello in another name', (channel) => announced(channel, `hello.${HOST}`)],
    ['tell an event in another name', (channel) => announced(channel, `event.vanished.${HOST}`)],
    ['tell what clients tell', (channel) => announced(channel, `state.unmounted.${HOST}`)],
  ])('lets no node %s', async (_, attempt) => {
    const channel = await intruder.createChannel();
    channel.on('error', () => undefined);
    await expect(attempt(channel)).rejects.toThrow(/ACCESS[_-]REFUSED|access to .* refused/);
  });

  it('lets a node declare a queue of its own, and nobody else consume it', async () => {
    const channel = await intruder.createChannel();
    await expect(declared(channel, NEIGHBOUR)).resolves.toBeUndefined();
    await channel.close();
    const queues = (await rig.broker.queues()).map(({ name }) => name);
    const own = queues.find((name) => isCommandQueueOf(HOST, name)) ?? 'none';
    const other = await connect(rig.broker.url);
    other.on('error', () => undefined);
    try {
      const administrator = await other.createChannel();
      administrator.on('error', () => undefined);
      await expect(administrator.consume(own, () => undefined)).rejects.toThrow(/RESOURCE[_-]LOCKED/);
    } finally {
      await other.close();
    }
    expect(tap.commands(HOST, 'mount').map(({ message }) => message.routingKey)).toContain(own);
  });

  it('lets a node say hello in its own name', async () => {
    const channel = await intruder.createChannel();
    await expect(announced(channel, `hello.${NEIGHBOUR}`)).resolves.toBeUndefined();
    await channel.close();
  });

  it('carries the forged command of a neighbour, which is refused', async () => {
    const memory = await incarnation();
    const forged = mountCommand('forged', memory, 1);
    const refused = { status: 'error', error_code: 'FORBIDDEN', acted: false, mount: null };
    expect(await answerTo(`dms.${HOST}`, Buffer.from(JSON.stringify(forged)))).toMatchObject(refused);
    // With the neighbour's own key, which every node has.
    const keys = await neighbourKey();
    const own = await sign(keys, forged);
    expect(await answerTo(`dms.${HOST}`, own.content, own.options)).toMatchObject(refused);
    // Without an epoch, as a Python client would: three keys.
    const { dms: _, ...legacy } = forged;
    expect(await answerTo(`dms.${HOST}`, Buffer.from(JSON.stringify(legacy)))).toMatchObject({
      status: 'error',
      error_msg: expect.stringContaining('is not signed') as unknown,
    });
    expect(layers()).toBe(0);
    expect((await node.log()).match(/this one is not signed\. Nothing is done/g)).toHaveLength(1);
    // The same command, signed by a client, is begun: there is no such export.
    const right = await sign(await keyPairOf(clientKey, 'Ed25519'), forged);
    expect(await answerTo(`dms.${HOST}`, right.content, right.options)).toMatchObject({ acted: true });
  }, 90_000);

  it('a client’s command does nothing when it is repeated, changed, late, or sent to another node', async () => {
    const before = tap.commands(HOST, 'mount').length;
    await ask('mount', 5);
    const { message } = tap.commands(HOST, 'mount')[before];
    expect(await ask('unmount', 5)).toMatchObject({ unmounted: true });

    const again = await answerTo(`dms.${HOST}`, message.content, copied(message));
    expect(again).toMatchObject({ status: 'error', error_code: 'STALE_EPOCH', acted: false });
    const elsewhere = await answerTo(`dms.${NEIGHBOUR}`, message.content, copied(message));
    expect(elsewhere).toMatchObject({ error_code: 'FORBIDDEN', acted: false });
    const changed = Buffer.from(message.content.toString().replace('"jobid":5', '"jobid":6'));
    expect(await answerTo(`dms.${HOST}`, changed, copied(message))).toMatchObject({
      error_code: 'FORBIDDEN',
    });
    const renamed = { ...copied(message), correlationId: randomUUID() };
    expect(await answerTo(`dms.${HOST}`, message.content, renamed)).toMatchObject({
      error_code: 'FORBIDDEN',
    });
    const old = await sign(
      await keyPairOf(clientKey, 'Ed25519'),
      mountCommand('old', await incarnation(), 1),
      -120_000,
    );
    expect(await answerTo(`dms.${HOST}`, old.content, old.options)).toMatchObject({
      error_code: 'FORBIDDEN',
      error_msg: expect.stringContaining('expired') as unknown,
    });
    expect(layers() + mountsBelow(neighbour.base).length).toBe(0);
  }, 60_000);

  it('a node that is to obey signed commands starts with the keys of clients only', async () => {
    const strict = { DMS_REQUIRE_SIGNED: 'true', DMS_RABBITMQ_URL: neighbourAccount.url };
    const missing = fleet.addNode({ ...strict, DMS_TRUSTED_KEYS_FILE: '' }, 'compute-03');
    await missing.launch();
    expect(await missing.ended(SOON_MS)).toMatch(/status \d/);
    expect(await missing.log()).toContain('DMS_TRUSTED_KEYS_FILE: is required');
  });

  it('a leaked key is good for nothing soon after it was taken out of the file, without a restart', async () => {
    const both = await readFile(trustedFile, 'utf8');
    const theirs = both.slice(0, both.indexOf('-----BEGIN', 1));
    const before = node.pid;
    await writeFile(trustedFile, theirs);
    try {
      // A look always asks the node; a mount that stands already would be shared without a command.
      await waitFor(async () => (await look()).inventory === null, {
        timeoutMs: NOTICED_MS,
        what: 'the key to be refused',
      });
      expect(await ask('mount', 7)).toMatchObject({ error_code: 'FORBIDDEN' });
      await waitFor(
        async () => String((await look()).problem).startsWith('refuses the key of this dms-client'),
        {
          timeoutMs: NOTICED_MS,
          what: 'dms nodes to show that the key is refused',
        },
      );
      expect(layers()).toBe(0);
    } finally {
      await writeFile(trustedFile, both);
    }
    await waitFor(async () => (await ask('mount', 7)).status === 'success', {
      timeoutMs: NOTICED_MS,
      what: 'the key to be taken again',
    });
    expect(await ask('unmount', 7)).toMatchObject({ unmounted: true });
    expect(node.pid).toBe(before);
  }, 60_000);

  describe('an answer that somebody has forged', () => {
    /** It waits for 4 seconds, and commands only nodes that sign their replies. */
    let strict: ClientProcess;

    beforeAll(async () => {
      strict = fleet.addClient({ ...signing, DMS_REQUEST_TIMEOUT: '4', DMS_REQUIRE_SIGNED: 'true' });
      await strict.start();
    }, 60_000);

    /** Resolves just after the client has heard a hello of the node. */
    const heardAnew = async (client: ClientProcess): Promise<void> => {
      const lastHeard = async (): Promise<number> => {
        const { body } = await client.api.get('/api/v1/nodes');
        const { nodes } = body as unknown as { nodes: { host: string; last_seen: string | null }[] };
        return Date.parse(nodes.find(({ host }) => host === HOST)?.last_seen ?? '') || 0;
      };
      const before = await lastHeard();
      await waitFor(async () => (await lastHeard()) > before + HELLO_INTERVAL_MS / 2, {
        timeoutMs: SOON_MS,
        what: 'the next hello to be heard',
      });
    };

    /** Has a client ask for a mount of which the node gets the command when it goes on; `meanwhile` runs until then. */
    const askMeanwhile = async (
      client: ClientProcess,
      jobid: number,
      meanwhile: (command: TappedMessage, answer: ReturnType<Api['post']>) => Promise<void>,
    ): ReturnType<Api['post']> => {
      const before = tap.commands(HOST, 'mount').length;
      const request = await fleet.targets.request(HOST, jobid, target);
      // A node whose next hello is overdue for this client would be asked with a probe first.
      await heardAnew(client);
      node.signal('SIGSTOP');
      try {
        const answer = client.api.post('/api/v1/mount', request);
        const tooEarly = answer.then(({ body }) => {
          throw new Error(`It was answered before the node got the command: ${JSON.stringify(body)}`);
        });
        const published = waitFor(() => tap.commands(HOST, 'mount')[before], {
          timeoutMs: SOON_MS,
          what: 'the command to be published',
        });
        const command = await Promise.race([published, tooEarly]);
        await meanwhile(command.message, answer);
        return answer;
      } finally {
        node.signal('SIGCONT');
      }
    };

    const publish = async (queue: string, content: Buffer, options: Options.Publish): Promise<void> => {
      const channel = await intruder.createConfirmChannel();
      channel.sendToQueue(queue, content, options);
      await channel.waitForConfirms();
      await channel.close();
    };

    const refused = async (client: ClientProcess, problem: string): Promise<number> => {
      const page = await (await fetch(`${client.url}/metrics`)).text();
      const value = new RegExp(`^dms_replies_refused_total\\{problem="${problem}".*\\} (\\d+)$`, 'm').exec(
        page,
      );
      if (value === null) throw new Error('There is no such metric');
      return Number(value[1]);
    };

    const stateOfTarget = async (): Promise<string | undefined> =>
      (
        await fleet.query<{ state: string }>('SELECT state FROM target_mounts WHERE backup_target_id = ?', [
          target.id,
        ])
      ).at(0)?.state;

    it('is as none: its request ends as unknown, and as it was once the node goes on', async () => {
      expect(await ask('mount', 21)).toMatchObject({ status: 'success' });
      expect(await ask('unmount', 21)).toMatchObject({ unmounted: true });
      const old = repliesOf(tap, HOST).findLast(({ body }) => (body.mount as Mount)?.state === 'mounted');
      if (old === undefined) throw new Error('No reply of the node was heard');

      await askMeanwhile(strict, 21, async (command, answer) => {
        const {
          reply_to,
          correlation_id: correlationId,
          headers,
        } = command.properties as unknown as ReplyProperties;
        expect(reply_to).toMatch(/^amq\.rabbitmq\.reply-to\../);
        const { dms } = JSON.parse(command.content.toString()) as { dms: { epoch: number } };
        const success = { ...old.body, epoch: dms.epoch };
        const failure = {
          ...success,
          status: 'error',
          error_code: 'MOUNT_FAILED',
          acted: false,
          mount: null,
        };
        const legacy = { status: 'error', error_msg: 'Mount failed', success_msg: null };
        for (const forged of [success, failure, legacy])
          await publish(reply_to, Buffer.from(JSON.stringify(forged)), { correlationId });
        // What the node has signed, of another time; and the neighbour's own signature.
        await publish(reply_to, old.message.content, {
          correlationId,
          headers: old.message.properties.headers,
        });
        const content = Buffer.from(JSON.stringify(failure));
        const answers = { content: command.content, signature: headers[SIGNATURE_HEADER] };
        const own: SignedMessage = {
          ...{ kind: 'reply', address: `dms.${HOST}`, content, replyTo: reply_to, correlationId, answers },
        };
        const signature = await signMessage(own, await neighbourKey(), null);
        await publish(reply_to, content, { correlationId, headers: { [SIGNATURE_HEADER]: signature } });

        await waitFor(
          async () => (await refused(strict, 'unsigned')) === 3 && (await refused(strict, 'signature')) === 1,
          { timeoutMs: SOON_MS, what: 'the forged replies to be ignored' },
        );
        expect((await answer).body).toMatchObject({ status: 'error', error_code: 'TIMEOUT' });
        await waitFor(async () => (await stateOfTarget()) === 'UNCERTAIN', {
          timeoutMs: SOON_MS,
          what: 'the outcome to be unknown',
        });
        expect(layers()).toBe(0);
      });
      expect(await strict.log()).toContain('is ignored: it is not signed');
      await waitFor(async () => (await stateOfTarget()) !== 'UNCERTAIN', {
        timeoutMs: SOON_MS,
        what: 'the node to be asked',
      });
      expect(await ask('mount', 21)).toMatchObject({ status: 'success' });
      expect(layers()).toBe(1);
      expect(await ask('unmount', 21)).toMatchObject({ unmounted: true });
    }, 90_000);

    it('is what the node says, and signs, to the command of somebody else with the same id', async () => {
      const [client] = fleet.clients;
      const before = await refused(client, 'signature');
      const { body } = await askMeanwhile(client, 22, async ({ content, properties }) => {
        const { reply_to: replyTo, correlation_id: correlationId } = properties as unknown as ReplyProperties;
        await publish(`dms.${HOST}`, content, { replyTo, correlationId });
      });
      const refusals = repliesOf(tap, HOST).filter(({ body: { error_code: code } }) => code === 'FORBIDDEN');
      expect(refusals.at(-1)?.message.properties.headers).toHaveProperty(SIGNATURE_HEADER);
      expect(body).toMatchObject({ status: 'success' });
      expect(await refused(client, 'signature')).toBe(before + 1);
      expect(await ask('unmount', 22)).toMatchObject({ unmounted: true });
    }, 60_000);

    it('is what a Python server says, to who demands signatures; others take it', async () => {
      const python = new PythonNode(rig.broker.url, 'python-1');
      await python.start();
      try {
        const nfs = { id: 'nfs', type: 'nfs', filesystem_export: '127.0.0.1:/export', secret_ref: null };
        const request = await fleet.targets.request(python.host, 1, target, nfs);
        expect((await fleet.api.post('/api/v1/mount', request)).body).toMatchObject({ status: 'success' });
        const commands = python.requests.length;
        const second = {
          ...request,
          job: { jobid: 2 },
          backup_target: { ...(request.backup_target as object), id: 'nfs-2' },
        };
        const answer = await strict.api.post('/api/v1/mount', second);
        expect(answer.body).toMatchObject({
          error_code: 'FORBIDDEN',
          error_msg: expect.stringContaining('DMS_REQUIRE_SIGNED') as unknown,
        });
        expect(python.requests).toHaveLength(commands);
        expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
      } finally {
        await python.stop();
      }
    }, 60_000);

    it('is not to be had by a hello that takes the signatures back', async () => {
      const shown = async () => (await fleet.api.get(`/api/v1/nodes/${HOST}`)).body;
      const { incarnation: memory, boot_id, bases, key_id } = await shown();
      const { encryption, signing: own } = await keysOf(node);
      const hello = {
        ...{ node: HOST, incarnation: memory, boot_id, protocol: 1, version: '0.1.0', bases },
        ...{ mount_table_version: 1, public_key: encryption.publicKey, signing_key: own.publicKey },
      };
      const address = `hello.${HOST}`;
      const content = Buffer.from(JSON.stringify(hello));
      const message = { kind: 'announcement', address, content, replyTo: null, correlationId: null } as const;
      const headers = { [SIGNATURE_HEADER]: await signMessage(message, own, 6_000) };
      await tap.publish('dms.events', address, content, { headers });
      await waitFor(async () => (await shown()).refused_key_id === key_id, {
        timeoutMs: SOON_MS,
        what: 'the hello to be refused',
      });
      // The node goes on to be believed, and by its signature only.
      await waitFor(async () => (await shown()).error_code === null, {
        timeoutMs: SOON_MS,
        what: 'its answer',
      });
      expect(await shown()).toMatchObject({ key_id, signs_replies: true });
    });
  });

  async function look(): Promise<{
    problem: string | null;
    inventory: { mounts: { backup_target_id: string; pid: number }[] } | null;
  }> {
    return (await fleet.api.get<Awaited<ReturnType<typeof look>>>(`/api/v1/nodes/${HOST}`)).body;
  }

  async function daemon(): Promise<{ pid: number }> {
    const { inventory } = await look();
    const mount = inventory?.mounts.find(({ backup_target_id: id }) => id === target.id);
    if (mount === undefined) throw new Error('The node sees no such mount');
    return mount;
  }

  async function neighbourKey(): Promise<KeyPair<'Ed25519'>> {
    return (await keysOf(neighbour)).signing;
  }
});

/** Declares a queue as a node of this name does. */
async function declared(channel: Channel, host: string): Promise<void> {
  await channel.assertQueue(newCommandQueue(host), { exclusive: true, autoDelete: true, durable: false });
}

interface Mount {
  readonly state: string;
}

interface ReplyProperties {
  readonly reply_to: string;
  readonly correlation_id: string;
  readonly headers: Record<string, string>;
}

/** What a node has answered to clients, as it was heard. */
function repliesOf(tap: Wiretap, host: string): { body: Record<string, unknown>; message: TappedMessage }[] {
  return tap.messages
    .filter(({ routingKey }) => routingKey.startsWith('amq.rabbitmq.reply-to.'))
    .map((message) => ({ body: JSON.parse(String(message.content)) as Record<string, unknown>, message }))
    .filter(({ body }) => body.node === host);
}

/** The keys of a node, as only root there can read them. */
async function keysOf({ runDirectory }: NodeProcess): Promise<{
  encryption: KeyPair<'X25519'>;
  signing: KeyPair<'Ed25519'>;
}> {
  const text = await readFile(join(runDirectory, 'keys.json'), 'utf8');
  const { encryption, signing } = JSON.parse(text) as Record<string, JsonWebKey>;
  return { encryption: await keyPairOf(encryption, 'X25519'), signing: await keyPairOf(signing, 'Ed25519') };
}

function copied({ properties }: TappedMessage): Options.Publish {
  return { correlationId: String(properties.correlation_id), headers: properties.headers };
}

async function sign(
  key: KeyPair<'Ed25519'>,
  body: unknown,
  lifetimeMs = 20_000,
): Promise<{ content: Buffer; options: Options.Publish }> {
  const content = Buffer.from(JSON.stringify(body));
  const correlationId = randomUUID();
  const message = { kind: 'command', address: `dms.${HOST}`, content, correlationId } as const;
  const signature = await signMessage({ ...message, replyTo: 'amq.rabbitmq.reply-to' }, key, lifetimeMs);
  return { content, options: { correlationId, headers: { [SIGNATURE_HEADER]: signature } } };
}

/** Two clients' keys, of which both are trusted, made as docs/SECURITY.md says. */
async function writeKeys(
  directory: string,
): Promise<{ signing: string; trusted: string; privatePem: string }> {
  await makeDirectory(directory);
  const [signing, other, trusted] = ['signing.pem', 'other.pem', 'trusted.pem'].map((name) =>
    join(directory, name),
  );
  const openssl = (args: string[]) => runCommand('openssl', args, { directory, timeoutMs: SOON_MS });
  for (const file of [other, signing]) {
    await openssl(['genpkey', '-algorithm', 'ed25519', '-out', file]);
    await appendFile(trusted, (await openssl(['pkey', '-in', file, '-pubout'])).stdout, { mode: 0o644 });
  }
  return { signing, trusted, privatePem: await readFile(signing, 'utf8') };
}
