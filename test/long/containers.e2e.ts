import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { describeOnRig } from '../e2e/on-rig';
import { Api } from '../fleet/api';
import { composeService, runOptions } from '../fleet/compose';
import { Fleet } from '../fleet/fleet';
import { s3fsProcesses } from '../fleet/node-look';
import { privilegesIn, privilegesOf, type Privileges } from '../fleet/privileges';
import { PROGRAMS, ROOT } from '../fleet/programs';
import { Child, cleanEnvironment, freePort, runCommand, waitFor } from '../rig';
import { ContainerHost, missingForContainers } from '../rig/containers/container-host';
import { buildImage, makeBaseImage } from '../rig/containers/images';

const missing = missingForContainers();
const KEPT = [
  'chown',
  'dac_override',
  'kill',
  'setuid',
  'linux_immutable',
  'net_bind_service',
  'sys_ptrace',
  'sys_admin',
];
const CLIENT_USER = 10001;
const HOST = 'container-node';

interface Image {
  readonly Config: {
    readonly User?: string;
    readonly Labels: Record<string, string>;
    readonly Env: string[];
  };
  readonly HealthCheck?: unknown;
  readonly Healthcheck?: unknown;
}
interface DaemonSet {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: { readonly containers: { command: string[] }[] } } };
}

describeOnRig('the images', (rig) => {
  if (missing !== null) return it.skip(`cannot be tried here: ${missing}`, () => undefined);
  let fleet: Fleet;
  let host: ContainerHost | undefined;
  let api: Api;
  let clientPort = 0;
  let healthPort = 0;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodes: 0, clients: 0 });
    host = await ContainerHost.start(join(fleet.directory, 'containers'));
    await makeBaseImage(host);
    for (const image of ['dms-client', 'dms-server']) await buildImage(host, ROOT, image);
    for (const directory of ['mounts', 'run']) mkdirSync(join(host.directory, directory), { mode: 0o755 });
    [clientPort, healthPort] = [await freePort(), await freePort()];
    await makeSecrets(join(host.directory, 'secrets'));
    const [token] = readFileSync(join(host.directory, 'secrets/tokens'), 'utf8').split(' ');
    api = new Api(`http://127.0.0.1:${clientPort}`, { authorization: `Bearer ${token}` });
  }, 900_000);
  afterAll(async () => {
    await host?.stop();
    await fleet?.stop();
  }, 120_000);

  const on = (): ContainerHost => {
    if (host === undefined) throw new Error('The host for containers was not started');
    return host;
  };
  /** As a person makes them, with the addresses of the test. */
  const makeSecrets = async (directory: string): Promise<void> => {
    await runCommand(join(ROOT, 'docker/make-secrets.sh'), [directory], { timeoutMs: 30_000 });
    const broker = `rabbitmq_url = ${fleet.brokerUrl}\n`;
    writeFileSync(join(directory, 'server.conf'), `[server]\n${broker}`);
    writeFileSync(join(directory, 'client.conf'), `[client]\n${broker}db_url = ${fleet.databaseUrl}\n`);
  };
  const places = (): Record<string, string> => {
    const secret = (name: string): string => join(on().directory, 'secrets', name);
    return {
      'client-conf': secret('client.conf'),
      'server-conf': secret('server.conf'),
      tokens: secret('tokens'),
      'signing-key': secret('signing.pem'),
      'trusted-keys': secret('trusted.pem'),
      '/var/lib/trilio/triliovault-mounts': join(on().directory, 'mounts'),
      '/run/dms': join(on().directory, 'run'),
    };
  };
  const serverEnvironment = (): Record<string, string> => ({
    DMS_NODE_ID: HOST,
    DMS_AUTH_URL: rig.cloud?.authUrl ?? '',
    DMS_MOUNT_BASE: join(on().directory, 'mounts'),
    DMS_RUN_DIR: join(on().directory, 'run'),
    DMS_PID_DIR: join(on().directory, 'run/s3'),
    DMS_HEALTH_PORT: String(healthPort),
  });
  const run = (name: string, options: string[], image: string, ...command: string[]): Promise<unknown> =>
    on().podman(['run', '--detach', '--name', name, ...options, `localhost/${image}`, ...command]);
  const healthy = async (name: string): Promise<void> => {
    const asked = async (): Promise<boolean> =>
      (await on().podman(['healthcheck', 'run', name], 30_000, [1, 125])).status === 0;
    try {
      await waitFor(asked, { timeoutMs: 90_000, intervalMs: 1_000, what: `${name} to be healthy` });
    } catch (error) {
      const { stdout, stderr } = await on().podman(['logs', name], 30_000, [125]);
      throw new Error(`${String(error)}\n${stdout}${stderr}`, { cause: error });
    }
  };
  const privileges = async (name: string): Promise<Privileges> => {
    const { stdout } = await on().podman(['inspect', '--format', '{{.State.Pid}}', name]);
    return privilegesIn((await on().run(['cat', `/proc/${stdout.trim()}/status`])).stdout);
  };
  const inside = (path: string, ...words: string[]): Promise<{ status: number; stdout: string }> =>
    on().run(['sh', '-c', `${words.join(' ')} "$0" || exit 4`, path], 30_000, [4]);
  const mounted = async (
    name: string,
  ): Promise<{ request: Record<string, unknown>; path: string; bucket: string }> => {
    const target = await fleet.targets.s3(name);
    await fleet.targets.store.putObject(target.bucket, 'file', 'what a job reads');
    const request = await fleet.targets.request(HOST, 1, target);
    const { body } = await api.post('/api/v1/mount', request);
    expect(body).toMatchObject({ status: 'success' });
    return { request, path: String(body.mount_path), bucket: target.bucket };
  };

  it('say what they are, and hold what runs alone', async () => {
    for (const name of ['dms-client', 'dms-server']) {
      const { stdout } = await on().podman(['image', 'inspect', `localhost/${name}`]);
      const [image] = JSON.parse(stdout) as Image[];
      expect(image.Config.Labels).toMatchObject({
        'org.opencontainers.image.title': name,
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.version': 'unknown',
        'org.opencontainers.image.revision': 'unknown',
      });
      expect(image.Healthcheck ?? image.HealthCheck).toBeDefined();
      expect(image.Config.User ?? '').toBe(name === 'dms-client' ? `${CLIENT_USER}:${CLIENT_USER}` : '');
      const look =
        'ls /opt/dms/node_modules; find / -xdev -name .npmrc; find /opt/dms -name "*.ts" | head -3';
      const words = (
        await on().podman(['run', '--rm', `localhost/${name}`, 'sh', '-c', `${look}; dms --version`])
      ).stdout.split('\n');
      expect(words).toContain('typeorm');
      for (const absent of ['typescript', 'jest', 'eslint', 'prettier', '@fig', '@types', '@swc'])
        expect(words).not.toContain(absent);
      expect(words.filter((word) => word.includes('.npmrc') || word.endsWith('.ts'))).toEqual([]);
      expect(words.at(-2)).toMatch(/^dms \d+\.\d+\.\d+/);
    }
  }, 120_000);

  it('do the main job with the rights that docker/compose.yaml gives, and no others', async () => {
    const client = composeService('dms-client');
    const http = { DMS_HTTP_HOST: '127.0.0.1', DMS_HTTP_PORT: String(clientPort) };
    const migrate = composeService('migrate');
    await on().podman(
      [
        'run',
        '--rm',
        ...runOptions(migrate, places(), {}),
        'localhost/dms-client',
        ...(migrate.command ?? []),
      ],
      60_000,
    );
    await run('dms-client', runOptions(client, places(), http), 'dms-client');
    await run(
      'dms-server',
      runOptions(composeService('dms-server'), places(), serverEnvironment()),
      'dms-server',
    );
    await Promise.all(['dms-client', 'dms-server'].map(healthy));
    await waitFor(async () => (await fleet.query('SELECT host FROM nodes')).length === 1, {
      timeoutMs: 30_000,
      what: 'the first hello',
    });

    const { request, path, bucket } = await mounted('compose');
    // Seen where jobs run: on the host, outside of the container that made it.
    expect((await inside(`${path}/file`, 'cat')).stdout).toBe('what a job reads');
    expect(s3fsProcesses(bucket)).toHaveLength(1);
    expect(await privileges('dms-client')).toEqual({
      uid: CLIENT_USER,
      bounding: [],
      effective: [],
      noNewPrivileges: true,
      filtered: true,
    });
    expect(await privileges('dms-server')).toEqual({
      uid: 0,
      bounding: KEPT,
      effective: KEPT,
      noNewPrivileges: true,
      filtered: true,
    });
    expect((await api.post('/api/v1/unmount', request)).body).toMatchObject({
      unmounted: true,
      physically_mounted: false,
      error_code: null,
    });
    expect((await inside(`${path}/file`, 'cat')).status).toBe(4);
    expect(s3fsProcesses(bucket)).toEqual([]);
    await on().podman(['rm', '--force', '--time', '25', 'dms-server']);
    expect((await api.get('/health/ready')).status).toBe(200);
  }, 300_000);

  it('leave what the DaemonSet mounts, by its command and propagation, when their program is killed', async () => {
    const documents = parseAllDocuments(readFileSync(join(ROOT, 'k8s/base/dms-server.yaml'), 'utf8'));
    const found = documents.map((each) => each.toJS() as DaemonSet).find(({ kind }) => kind === 'DaemonSet');
    const command = found?.spec.template.spec.containers[0].command ?? [];
    const program = [...command.slice(0, -1), process.execPath, PROGRAMS.server];
    // As a container of Kubernetes without its cgroup: a mount namespace whose mounts are the host's, its processes too.
    const start = async (): Promise<Child> => {
      const [first, ...rest] = on().words(
        'unshare',
        '--mount',
        '--propagation',
        'unchanged',
        '--',
        ...program,
      );
      const child = await Child.start({
        name: 'dms-server',
        command: first,
        args: rest,
        directory: fleet.directory,
        logFile: join(fleet.directory, 'dms-server.log'),
        environment: {
          ...cleanEnvironment({ HOME: '/root' }),
          ...serverEnvironment(),
          DMS_RABBITMQ_URL: fleet.brokerUrl,
          DMS_FUSE_UNITS: 'session',
        },
      });
      const ready = async (): Promise<boolean> => {
        if (!child.running) throw new Error(`dms-server ${child.outcome}\n${await child.logTail()}`);
        const url = `http://127.0.0.1:${healthPort}/health/ready`;
        return await fetch(url).then(
          ({ ok }) => ok,
          () => false,
        );
      };
      await waitFor(ready, { timeoutMs: 60_000, what: 'dms-server to be ready' });
      return child;
    };
    const main = (child: Child): number => {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
      return Number(children.split(' ')[0]);
    };
    let server = await start();
    const kept = { uid: 0, bounding: KEPT, effective: KEPT, noNewPrivileges: true };
    expect(privilegesOf(main(server))).toMatchObject(kept);
    const { request, path, bucket } = await mounted('daemonset');
    const daemons = s3fsProcesses(bucket);
    expect(daemons).toHaveLength(1);
    expect(readlinkSync(`/proc/${main(server)}/ns/mnt`)).not.toBe(readlinkSync(`/proc/${on().pid}/ns/mnt`));
    const read = async (): Promise<void> =>
      expect((await inside(`${path}/file`, 'cat')).stdout).toBe('what a job reads');
    await read();

    process.kill(main(server), 'SIGKILL');
    await server.waitForExit(10_000);
    await read();
    server = await start();
    // Only a comparison with the ledger shows whether the node took up the same mount: until it comes, all looks well.
    const { body } = await api.post<{ differences: unknown }>('/api/v1/admin/reconcile', { host: HOST });
    expect(body.differences).toEqual([]);
    const [binding] = await fleet.query<{ state: string }>(
      "SELECT state FROM backup_target_mount_ledger WHERE backup_target_id LIKE '%daemonset%'",
    );
    expect(binding.state).toBe('held');
    await read();
    expect(s3fsProcesses(bucket)).toEqual(daemons);
    expect((await api.post('/api/v1/unmount', request)).body).toMatchObject({
      unmounted: true,
      physically_mounted: false,
      error_code: null,
    });
    expect((await inside(`${path}/file`, 'cat')).status).toBe(4);
    expect(s3fsProcesses(bucket)).toEqual([]);
    await server.stop();
  }, 300_000);
});
