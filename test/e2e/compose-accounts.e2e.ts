import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Channel, connect } from 'amqplib';
import { announced } from '../fleet/announced';
import { composeService } from '../fleet/compose';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { ROOT } from '../fleet/programs';
import { Rig, runCommand } from '../rig';
import { describeOnRig } from './on-rig';

const HOST = 'node.of-compose';
const NEIGHBOUR = 'node-of-compose';

/** A broker with the accounts that docker/make-secrets.sh makes for docker/compose.yaml, and both programs with its settings. */
describeOnRig('the broker of docker/compose.yaml', (shared) => {
  let rig: Rig;
  let fleet: Fleet;
  let secrets: string;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['broker'] });
    fleet = await Fleet.start({ ...shared, brokerUrl: rig.broker.url }, { nodes: 0, clients: 0 });
    secrets = join(fleet.directory, 'secrets');
    await runCommand(join(ROOT, 'docker/make-secrets.sh'), [secrets], {
      environment: { PATH: process.env.PATH ?? '', DMS_NODE_ID: HOST },
      timeoutMs: 30_000,
    });
    await rig.broker.ctl(['import_definitions', join(secrets, 'rabbitmq-definitions.json')]);
    const node = fleet.addNode({ ...settingsOf('dms-server'), DMS_RABBITMQ_URL: accountOf('server') }, HOST);
    const client = fleet.addClient({ ...settingsOf('dms-client'), DMS_RABBITMQ_URL: accountOf('client') });
    await Promise.all([node.start(), client.start()]);
    await fleet.acquainted();
  }, 120_000);

  afterAll(async () => {
    await fleet?.stop();
    await rig?.stop();
  });

  /** What the service says of signatures, with the files that were made. */
  const settingsOf = (service: string): Record<string, string> => {
    const { DMS_REQUIRE_SIGNED, DMS_SIGNING_KEY_FILE, DMS_TRUSTED_KEYS_FILE } =
      composeService(service).environment;
    expect(DMS_REQUIRE_SIGNED).toBe('true');
    return {
      DMS_REQUIRE_SIGNED,
      ...(DMS_SIGNING_KEY_FILE && { DMS_SIGNING_KEY_FILE: join(secrets, 'signing.pem') }),
      ...(DMS_TRUSTED_KEYS_FILE && { DMS_TRUSTED_KEYS_FILE: join(secrets, 'trusted.pem') }),
    };
  };
  /** The address that a program is given, at the port of this broker. */
  const accountOf = (program: 'client' | 'server'): string => {
    const text = readFileSync(join(secrets, `${program}.conf`), 'utf8');
    const given = new URL(/^rabbitmq_url = (.*)$/m.exec(text)?.[1] ?? '');
    const url = new URL(rig.broker.url);
    [url.username, url.password] = [given.username, given.password];
    return url.href;
  };
  const attempt = async (
    program: 'client' | 'server',
    work: (channel: Channel) => Promise<unknown>,
  ): Promise<unknown> => {
    const connection = await connect(accountOf(program));
    connection.on('error', () => undefined);
    try {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      return await work(channel);
    } finally {
      await connection.close();
    }
  };

  it('lets both programs do the main job, each with an account of its own and with signed commands', async () => {
    const jobs = new Jobs(fleet);
    const target = await fleet.targets.s3('compose');
    expect((await jobs.mount(1, target)).body).toMatchObject({ error_msg: null, status: 'success' });
    expect((await jobs.unmount(1, target)).body).toMatchObject({ error_msg: null, unmounted: true });
    const users = await rig.broker.ctl(['list_connections', 'user']);
    expect([...new Set(users.split('\n').filter((line) => line.startsWith('dms-')))].sort()).toEqual([
      'dms-client',
      'dms-server',
    ]);
  });

  it.each<['client' | 'server', string, (channel: Channel) => Promise<unknown>]>([
    ['client', 'reads the commands of a node', (channel) => channel.consume(`dms.${HOST}`, () => undefined)],
    ['client', 'says hello in the name of a node', (channel) => announced(channel, `hello.${HOST}`)],
    ['server', 'declares the queue of another node', (channel) => channel.assertQueue(`dms.${NEIGHBOUR}`)],
    ['server', 'says hello in another name', (channel) => announced(channel, `hello.${NEIGHBOUR}`)],
    ['server', 'tells what clients tell', (channel) => announced(channel, `state.unmounted.${HOST}`)],
  ])('refuses dms-%s what is not its own: it %s', async (program, _, work) => {
    await expect(attempt(program, work)).rejects.toThrow(/ACCESS[_-]REFUSED|access to .* refused/);
  });
});
