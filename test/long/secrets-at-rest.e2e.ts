import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isCommandQueueOf } from '@app/contracts';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { type ClientProcess } from '../fleet/client-process';
import { EchoingEndpoint } from '../fleet/echoing-endpoint';
import { EventReader } from '../fleet/event-reader';
import { Fleet } from '../fleet/fleet';
import { filesWith } from '../fleet/files-with';
import { FuseProgram } from '../fleet/fuse-program';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { PROGRAMS } from '../fleet/programs';
import { PythonNode } from '../fleet/python-node';
import { type Find, SecretSearch, shownProcesses } from '../fleet/secret-search';
import { type S3Target } from '../fleet/targets';
import { WireClient } from '../fleet/wire-client';
import { Jobs } from '../fleet/jobs';
import { Child, Rig, waitFor } from '../rig';
import { describeOnRig } from '../e2e/on-rig';

const SOON = { timeoutMs: 30_000, intervalMs: 50 };
const KEYS = ['access key', 'secret key'];
/** A broker that is short of memory writes transient messages to its disk in lots of thousands. */
const FILLING = 20_000;
const OPERATORS = ['database password', 'broker password'];

const marker = (name: string): string => `${name}-${randomBytes(12).toString('hex')}`;

/**
 * One run with marked secrets through all that the programs can do, and then a look into every place where something is
 * kept or shown. In each place something else is looked for, too, that must be there.
 */
describeOnRig('secrets at rest', (shared) => {
  const search = new SecretSearch();
  const apiToken = marker('api-token');
  const wrongToken = marker('gAAAAAB-wrong-token');
  const garbage = marker('garbage');
  const wrongKey = marker('wrong-access-key');
  const wrongSecret = marker('wrong+secret/key');
  /** All that was answered over HTTP, on the wire and by commands. */
  const answers: string[] = [];
  const messages: string[] = [];
  let rig: Rig;
  let fleet: Fleet;
  let program: FuseProgram;
  let endpoint: EchoingEndpoint;
  let guarded: ClientProcess;
  let events: EventReader;
  let target: S3Target;
  let request: Record<string, unknown>;
  let token: string;
  let stopListening: () => Promise<void>;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['broker'] });
    program = await FuseProgram.create(join(rig.directory, 'programs'));
    endpoint = await EchoingEndpoint.start();
    fleet = await Fleet.start({ ...shared, brokerUrl: rig.broker.url });
    const holding = fleet.addNode({ DMS_S3VAULTFUSE_BIN: program.path });
    await holding.start();
    const tokenFile = join(fleet.directory, 'tokens');
    await writeFile(tokenFile, `${apiToken} operator admin\n`, { mode: 0o600 });
    const settings = { DMS_AUTH_MODE: 'token', DMS_TOKEN_FILE: tokenFile, DMS_REQUEST_TIMEOUT: '4' };
    guarded = fleet.addClient(settings);
    await guarded.start();
    await fleet.acquainted();
    events = await EventReader.open(`${fleet.clients[0].url}/api/v1/events`);
    stopListening = await listen(rig.broker.url, messages);

    target = await fleet.targets.s3('at-rest');
    request = await fleet.targets.request(fleet.node.host, 1, target);
    token = String(request.keystone_token);
    const { s3 } = shared;
    search.add('token', token);
    search.add('access key', (s3?.accessKey ?? '').split(':').at(-1) ?? '');
    search.add('secret key', s3?.secretKey ?? '');
    search.add('database password', new URL(fleet.databaseUrl).password);
    search.add('broker password', new URL(fleet.brokerUrl).password);
    search.add('token of the facade', apiToken);
    search.add('wrong token', wrongToken);
    search.add('garbage in a secret', garbage);
    search.add('wrong access key', wrongKey);
    search.add('wrong secret key', wrongSecret);
  }, 150_000);

  afterAll(async () => {
    await events?.close();
    await stopListening?.();
    await fleet?.stop();
    await endpoint?.stop();
    await rig?.stop();
  });

  const send = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    client = fleet.clients[0],
  ): Promise<Record<string, unknown>> => {
    const response = await fetch(`${client.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    answers.push(
      `${method} ${path.slice(0, 40)} ${response.status} ${JSON.stringify([...response.headers])}\n${text}\n`,
    );
    return (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown>;
  };
  const post = (path: string, body: unknown, headers = {}, client = fleet.clients[0]) =>
    send('POST', `/api/v1/${path}`, body, headers, client);
  const withTarget = (changes: object, top: object = {}): Record<string, unknown> => ({
    ...request,
    ...top,
    backup_target: { ...(request.backup_target as object), ...changes },
  });
  const dms = async (args: string[], env: Record<string, string> = {}): Promise<number> => {
    const options = {
      env: { ...fleet.clients[0].environment, DMS_LOG_LEVEL: 'DEBUG', ...env },
      timeout: 60_000,
    };
    const run = promisify(execFile)(process.execPath, [PROGRAMS.cli, ...args], options);
    const { stdout, stderr, code } = await run.then(
      (said) => ({ ...said, code: 0 }),
      (error: { stdout: string; stderr: string; code: number }) => error,
    );
    answers.push(`dms ${args[0]} ${code}\n${stdout}\n${stderr}\n`);
    return code;
  };
  const targetArguments = (host: string, of: S3Target, job = '1'): string[] => [
    ...[
      '--job-id',
      job,
      '--host',
      host,
      '--target-id',
      of.id,
      '--target-type',
      's3',
      '--secret-ref',
      of.secretRef,
    ],
  ];
  const none: Find[] = [];

  it('a job’s command and all processes of a slow mount: only the FUSE program has the keys', async () => {
    const [, holding] = fleet.nodes;
    const slow = await fleet.targets.s3('slow');
    await program.hold('start', slow.bucket);
    const sign = join(fleet.directory, 'job-goes-on');
    const tokenFile = join(fleet.directory, 'token');
    await writeFile(tokenFile, token, { mode: 0o600 });
    const script = 'env; while [ ! -e "$0" ]; do sleep 0.05; done';
    const child = await Child.start({
      name: 'dms run',
      command: process.execPath,
      args: [
        ...[PROGRAMS.cli, 'run', ...targetArguments(holding.host, slow), '--token-file', tokenFile],
        ...['--', '/bin/sh', '-c', script, sign],
      ],
      directory: fleet.directory,
      logFile: join(fleet.directory, 'run.log'),
      environment: { ...fleet.clients[0].environment, DMS_API_TOKEN: apiToken, DMS_LOG_LEVEL: 'DEBUG' },
    });
    try {
      await program.reached('start', slow.bucket);
      // A look each tick, from the standing program until the job has its mount.
      let looks = 0;
      let isGranted = false;
      const programs = [child.pid, fleet.node.pid, holding.pid, ...fleet.clients.map(({ pid }) => pid)];
      await waitFor(
        async () => {
          for (const found of shownProcesses().filter(({ environ }) => !environ.includes('DMS_TEST_RIGS='))) {
            const { pid, cmdline, environ } = found;
            expect(search.findIn(`command line of ${cmdline}`, cmdline)).toEqual(none);
            // The FUSE program is known by its environment, which holds the keys and no other secret.
            const isFuse = environ.includes('vault_s3_bucket=');
            const isOurs = programs.includes(pid);
            const allowed = [
              ...(isFuse ? KEYS : []),
              ...(isOurs ? OPERATORS : []),
              ...(pid === child.pid ? ['token of the facade'] : []),
            ];
            const finds = search.findIn(`environment of ${pid} ${cmdline}`, environ);
            expect(finds.filter(({ secret }) => !allowed.includes(secret))).toEqual(none);
          }
          looks += 1;
          if (looks === 5) await program.letGo('start', slow.bucket);
          isGranted ||= readFileSync(join(fleet.directory, 'run.log'), 'utf8').includes('DMS_MOUNT_PATH=');
          return isGranted && looks > 10;
        },
        { ...SOON, what: 'the job to have its mount' },
      );
      const shown = shownProcesses();
      const daemon = shown.find(({ pid }) => s3fsProcesses(slow.bucket).includes(pid));
      expect(search.findIn('', daemon?.environ ?? '').map(({ secret }) => secret)).toEqual(
        expect.arrayContaining(KEYS),
      );
      const job = shown.find(({ cmdline, pid }) => cmdline.includes(sign) && pid !== child.pid);
      expect(search.search('environment of the job', job?.environ ?? '', 'DMS_MOUNT_PATH=')).toEqual(none);
      await writeFile(sign, '');
      await child.waitForExit(30_000);
      expect(child.exitCode).toBe(0);
    } finally {
      await program.letGo('start', slow.bucket);
      await child.stop();
    }
    const log = await readFile(join(fleet.directory, 'run.log'), 'utf8');
    expect(search.search('what "dms run" and its job said', log, 'DMS_MOUNT_PATH=')).toEqual(none);
    await rm(tokenFile);
  }, 90_000);

  it('a mount, its state files, and the log of a daemon whose server repeats who asked', async () => {
    expect(await post('mount', request)).toMatchObject({ status: 'success' });
    const secretRef = await fleet.targets.secret('echo', { endpoint_url: endpoint.url });
    const echo = { ...target, id: 'echo-target', secretRef };
    const its = withTarget({ id: echo.id, secret_ref: secretRef });
    const { mount_path, status } = await post('mount', its);
    expect(status).toBe('success');
    // s3fs keeps its words to itself until they fill a buffer.
    for (let index = 0; index < 20; index += 1) {
      const writing = writeFile(join(String(mount_path), `file-${index}`), 'lost');
      await expect(writing).rejects.toThrow(/EPERM|EIO/);
    }
    const { runDirectory, pidDirectory } = fleet.node;
    const log = join(runDirectory, 'fuse', echo.id, 'log');
    await waitFor(() => readFileSync(log, 'utf8').includes('SignatureDoesNotMatch'), {
      ...SOON,
      what: 'its answer',
    });
    expect(search.search('log of s3fs', await readFile(log), '<AWSAccessKeyId>***</AWSAccessKeyId>')).toEqual(
      none,
    );
    expect(await search.searchFiles(runDirectory, target.id)).toEqual(none);
    expect(await search.searchFiles(pidDirectory, target.id)).toEqual(none);
    for (const private_ of ['fuse', 'targets', 'keys.json'])
      expect((await stat(join(runDirectory, private_))).mode & 0o077).toBe(0);

    await dms([
      'status',
      '--job-id',
      '1',
      '--target-id',
      target.id,
      '--host',
      fleet.node.host,
      '--format',
      'json',
      '--verify',
    ]);
    await send('GET', `/api/v1/nodes/${fleet.node.host}`);
    await post('admin/reconcile', { host: fleet.node.host, dry_run: true });
    const answer = await post('unmount', its);
    expect(answer).toMatchObject({ unmounted: true, error_code: 'UNMOUNTED_DIRTY' });
  }, 60_000);

  it('requests that fail, whatever is wrong with them', async () => {
    const broken = async (changes: Record<string, string>): Promise<string> =>
      fleet.targets.secret(target.bucket, changes);
    const refs = [
      await broken({ aws_access_key_id: wrongKey, aws_secret_access_key: wrongSecret }),
      await broken({ bucket: `-o${garbage}` }),
      await broken({ region: `${garbage},x` }),
      await broken({ endpoint_url: `http://${garbage}@x/` }),
      await fleet.targets.cloud.storeSecret(token, garbage),
      await fleet.targets.cloud.storeSecret(token, `{"bucket": "${garbage}", ${garbage}`),
    ];
    const failed = await Promise.all([
      ...refs.map((secret_ref, index) => post('mount', withTarget({ id: `bad-${index}`, secret_ref }))),
      post('mount', withTarget({ id: 'bad-token' }, { keystone_token: wrongToken })),
    ]);
    expect(failed.map(({ status }) => status)).toEqual(failed.map(() => 'error'));
    const wrong = [
      withTarget({ id: `/${token}` }),
      withTarget({ type: token }),
      withTarget({ secret_ref: `http://user:${token}@barbican/v1/secrets/x` }),
      withTarget({ filesystem_export_mount_path: `${token}/..` }),
      withTarget({ type: 'nfs', filesystem_export: `${token} x` }),
      withTarget({ type: 'nfs', filesystem_export: 'a:/b', nfs_mount_opts: `rw,${token}` }),
      withTarget({ type: 'nfs', filesystem_export: 'a:/b', nfs_mount_opts: `sec=${token}` }),
      withTarget({}, { keystone_token: { token } }),
      withTarget({}, { keystone_token: `${token} ${token}` }),
      withTarget({}, { job: { jobid: token } }),
      withTarget({}, { job: token }),
      withTarget({}, { host: `/${token}` }),
      withTarget({}, { action: token }),
      withTarget({}, { read_only: token }),
      withTarget({}, { hold_id: `/${token}` }),
      withTarget({}, { lease_s: token }),
      `{"keystone_token": ${token}`,
      `${token}`,
      `"${token}"`,
      `{"a": "${token}`,
    ];
    const wire = await WireClient.open(rig.broker.url, fleet.node.host);
    try {
      for (const body of wrong) {
        expect(await post('mount', body)).toMatchObject({ error_code: 'VALIDATION_FAILED' });
        for (const extra of [{ dms: { protocol: 1, sealed_token: token } }, {}]) {
          const command = typeof body === 'string' ? body : { action: 'mount', ...body, ...extra };
          answers.push((await wire.call(command)).text);
        }
      }
    } finally {
      await wire.close();
    }
    await send('GET', `/api/v1/${encodeURIComponent(token)}`);
    await send('GET', `/api/v1/bindings?jobid=${encodeURIComponent(token)}`);
    await send('GET', `/api/v1/operations/${encodeURIComponent(token)}`);
    await send('GET', '/api/v1/nodes', undefined, { authorization: `Bearer ${wrongToken}` }, guarded);
    await send('GET', '/api/v1/nodes', undefined, { 'x-auth-token': token }, guarded);
    await send('GET', '/api/v1/nodes', undefined, { authorization: `Bearer ${apiToken}` }, guarded);
    const env = { KEYSTONE_TOKEN: wrongToken };
    const { host } = fleet.node;
    const failing = await Promise.all([
      dms(['mount', ...targetArguments(host, { ...target, id: 'cli' })], env),
      dms(['nodes'], { DMS_API_URL: guarded.url, DMS_API_TOKEN: wrongToken }),
      dms(['nodes'], { DMS_API_URL: `http://x:${apiToken}@127.0.0.1:1`, DMS_API_TOKEN: apiToken }),
      dms(['nodes'], { DMS_DB_URL: fleet.databaseUrl.replace('mysql:', 'mysq:') }),
      dms(['nodes'], { DMS_DB_URL: fleet.databaseUrl.replace(/:\d+\//, ':1/') }),
      dms(['mount', ...targetArguments(host, target, token)], env),
    ]);
    expect(failing).not.toContain(0);
    // Without a broker the ledger's part of it is told.
    await dms(['nodes', host, '--format', 'json'], {
      DMS_RABBITMQ_URL: fleet.brokerUrl.replace(/:\d+$/, ':1'),
    });
  }, 150_000);

  it('all columns of all tables of the ledger', async () => {
    expect(await post('unmount', request)).toMatchObject({ status: 'success' });
    await waitFor(async () => (await new Jobs(fleet).target(target.id))?.state === 'ABSENT', {
      timeoutMs: 60_000,
      what: `${target.id} to be unmounted`,
    });
    const tables = await fleet.query<{ name: string }>(
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
    );
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'backup_target_mount_ledger',
        'mount_operations',
        'target_mounts',
        'nodes',
        'idempotency_keys',
      ]),
    );
    for (const { name } of tables) {
      const rows = await fleet.query(`SELECT * FROM \`${name}\``);
      const dump = JSON.stringify(rows);
      expect(search.findIn(`table ${name}`, dump)).toEqual(none);
      if (['backup_target_mount_ledger', 'mount_operations', 'target_mounts'].includes(name))
        expect(search.search(`table ${name}`, dump, target.id)).toEqual(none);
    }
  });

  it('answers, histories, metrics, the description of the facade, events and logs', async () => {
    const { host } = fleet.node;
    for (const path of [
      '/docs/json',
      '/docs',
      '/metrics',
      '/health/live',
      '/health/ready',
      '/api/v1/nodes',
      `/api/v1/nodes/${host}`,
    ])
      await send('GET', path);
    for (const path of [
      'bindings',
      'operations',
      `targets/${target.id}/history`,
      'targets/echo-target/history',
      'locks',
    ])
      await send('GET', `/api/v1/${path}`);
    answers.push(
      await (await fetch(fleet.node.healthUrl.replace('/health', '/metrics'))).text().catch(() => ''),
    );
    const commands = [
      ['history', '--target-id', target.id],
      ['list-mounts'],
      ['operations'],
      ['nodes'],
      ['locks'],
      ['reconcile', '--dry-run'],
    ];
    const statuses = await Promise.all(commands.map((args) => dms([...args, '--format', 'json'])));
    expect(statuses).toEqual(commands.map(() => 0));

    expect(search.search('answers', answers.join('\n'), target.id)).toEqual(none);
    for (const code of [
      'UNMOUNTED_DIRTY',
      'SECRET_UNAVAILABLE',
      'AUTH_EXPIRED',
      'MOUNT_FAILED',
      'UNAUTHENTICATED',
    ])
      expect(search.search('answers', answers.join('\n'), code)).toEqual(none);
    expect(search.search('server-sent events', events.text, target.id)).toEqual(none);
    expect(search.search('messages of dms.events', messages.join('\n'), target.id)).toEqual(none);
    for (const node of fleet.nodes)
      expect(search.search('log of a node', await node.log(), node.host)).toEqual(none);
    expect(search.search('log of a node', await fleet.node.log(), target.id)).toEqual(none);
    for (const client of fleet.clients)
      expect(search.search('log of a client', await client.log(), '"level":"debug"')).toEqual(none);
    expect(mountsBelow(fleet.node.base)).toEqual([]);
    expect(existsSync(join(fleet.node.runDirectory, 'fuse', target.id))).toBe(false);
    // What was written here by the tests holds the tokens of the facade.
    expect(await search.searchFiles(fleet.directory, target.id, ['tokens'])).toEqual(none);
  }, 90_000);

  it('the broker’s files, with requests for nodes that stand still, also when its memory is short', async () => {
    const files = rig.broker.dataDirectory;
    const inClear = marker('gAAAAAB-in-clear');
    const host = `python-${randomUUID()}`;
    // It is to be known as what it is: else it would be asked before it is told the token.
    const answering = new PythonNode(rig.broker.url, host);
    await answering.start();
    expect(await post('mount', { ...request, host })).toMatchObject({ status: 'success' });
    await answering.stop();
    const python = await StillPythonNode.start(rig.broker.url, host);
    fleet.node.signal('SIGSTOP');
    try {
      const standing = (await rig.broker.queues()).map(({ name }) => name);
      const own = standing.find((name) => isCommandQueueOf(fleet.node.host, name)) ?? 'none';
      const queues = [own, `dms.${host}`];
      const command = withTarget({ id: `waiting-${randomUUID()}` });
      const async = { Prefer: 'respond-async' };
      // At once: a node whose hello is overdue is asked before it is told anything.
      await post('mount', command, async);
      await python.fill(queues);
      await post('mount', { ...command, host, keystone_token: inClear }, async);
      await waitFor(
        async () => {
          const waiting = await rig.broker.queues();
          return queues.every((queue) =>
            waiting.some(({ name, messages }) => name === queue && messages > FILLING),
          );
        },
        { ...SOON, what: 'the commands to wait behind others' },
      );
      expect(await filesWith(inClear, files)).toEqual([]);
      expect(search.findIn('files of the broker', Buffer.concat(await contents(files)))).toEqual(none);

      // What is in clear shows that the broker writes to its disk now, as the documentation says.
      await rig.broker.ctl(['set_vm_memory_high_watermark', 'absolute', '1MB']);
      await waitFor(async () => (await filesWith(inClear, files)).length > 0, {
        ...SOON,
        what: 'a token in clear',
      });
      expect(await search.searchFiles(files, inClear)).toEqual(none);
    } finally {
      await rig.broker.ctl(['set_vm_memory_high_watermark', '0.4']);
      await python.stop();
      fleet.node.signal('SIGCONT');
    }
    const log = await readFile(rig.broker.logFile);
    expect(search.search('the broker’s log', log, 'accepting AMQP connection', ['token', ...KEYS])).toEqual(
      none,
    );
  }, 120_000);
});

/** Notes all that is published to the exchange of hellos and events. */
async function listen(brokerUrl: string, messages: string[]): Promise<() => Promise<void>> {
  const connection = await connect(brokerUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'dms.events', '#');
  await channel.consume(
    queue,
    (message) => message && messages.push(`${message.fields.routingKey} ${message.content.toString()}`),
    {
      noAck: true,
    },
  );
  return () => connection.close();
}

async function contents(directory: string): Promise<Buffer[]> {
  const files = await filesWith('', directory);
  return Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0))));
}

/** A Python server that takes one request and answers none. */
class StillPythonNode {
  private constructor(
    private readonly host: string,
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
  ) {}

  static async start(brokerUrl: string, host: string): Promise<StillPythonNode> {
    const connection = await connect(brokerUrl);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(`dms.${host}`, { durable: true });
    await channel.prefetch(1);
    await channel.consume(`dms.${host}`, () => undefined);
    return new StillPythonNode(host, connection, channel);
  }

  /** Publishes so many transient messages to the queues that the broker pages them out where its memory is short. */
  async fill(queues: readonly string[]): Promise<void> {
    for (let index = 0; index < FILLING; index += 1)
      for (const queue of queues) this.channel.sendToQueue(queue, Buffer.from('{}'), { persistent: false });
    await this.channel.waitForConfirms();
  }

  async stop(): Promise<void> {
    await this.channel.deleteQueue(`dms.${this.host}`);
    await this.connection.close();
  }
}
