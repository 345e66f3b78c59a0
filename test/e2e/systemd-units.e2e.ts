import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../fleet/api';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { s3fsProcesses } from '../fleet/node-look';
import { privilegesOf } from '../fleet/privileges';
import { PROGRAMS, ROOT } from '../fleet/programs';
import { serverEnvironment } from '../fleet/server-environment';
import { SteadyWork } from '../fleet/steady-work';
import { UnitService } from '../fleet/unit-service';
import { freePort, makeDirectory, missingForSystemd, removeDirectory, runCommand, Systemd } from '../rig';
import { describeOnRig } from './on-rig';

const missing = missingForSystemd();
const itHasSystemd = missing === null ? it : it.skip;
const because = missing === null ? '' : `: ${missing}`;

/** Other versions of systemd count otherwise. */
const version = /^systemd (\d+)/.exec(
  spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout ?? '',
);
const differs =
  version?.[1] === '252' ? null : `: scores are of systemd 252, this is ${version?.[1] ?? 'none'}`;

/** What dms-server keeps of root's rights: docs/DEPLOYMENT.md says why each. */
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
const AUTHORITIES = '/etc/ssl/certs';

describeOnRig('the units of systemd', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let systemd: Systemd | undefined;
  let work: SteadyWork | undefined;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodes: 0 });
    jobs = new Jobs(fleet);
    if (missing !== null) return;
    await makeDirectory(directory());
    systemd = await Systemd.start(join(directory(), 'systemd'));
    // As systemd does on a machine of its own; in what it takes for a container it leaves that to others.
    await systemd.run('mount', '--make-rshared', '/');
  }, 90_000);
  afterAll(async () => {
    work?.kill();
    await systemd?.stop();
    if (missing === null) await removeDirectory(directory());
    await fleet?.stop();
  });

  const directory = (): string => join(fleet.directory, 'units');
  const lab = (): Systemd => {
    if (systemd === undefined) throw new Error('systemd was not started');
    return systemd;
  };
  const server = async (host: string, lines: string[] = []): Promise<UnitService> => {
    const healthPort = await freePort();
    mkdirSync(join(directory(), host));
    const service = new UnitService(lab(), {
      name: 'dms-server',
      directory: join(directory(), host),
      program: PROGRAMS.server,
      readyUrl: `http://127.0.0.1:${healthPort}/health/ready`,
      lines,
      environment: serverEnvironment({
        host,
        directory: directory(),
        base: join(directory(), host, 'mounts'),
        // The unit's own.
        runDirectory: '/run/dms',
        pidDirectory: '/run/dms/s3',
        healthPort,
        brokerUrl: fleet.brokerUrl,
        authUrl: rig.cloud?.authUrl,
        settings: { DMS_BUSY_TIMEOUT: '0.5', DMS_MOUNTPOINT_GRACE: '60' },
      }),
    });
    await service.define();
    return service;
  };

  itHasSystemd(
    `dms-server mounts with what it keeps of root's rights, and its mounts stay when it goes${because}`,
    async () => {
      const host = 'unit-node';
      const service = await server(host);
      await service.make('start');
      const target = await fleet.targets.s3('unit');
      await fleet.targets.store.putObject(target.bucket, 'file', 'what a job reads');
      const { body } = await jobs.mount(1, target, { host });
      expect(body).toMatchObject({ status: 'success' });
      const path = String(body.mount_path);
      expect(readFileSync(`${lab().inside(path)}/file`, 'utf8')).toBe('what a job reads');
      const [daemon, ...others] = s3fsProcesses(target.bucket);
      expect(others).toEqual([]);

      const dropped = {
        uid: 0,
        bounding: KEPT,
        effective: KEPT,
        noNewPrivileges: true,
        filtered: true,
      };
      const pid = await service.pid();
      expect(privilegesOf(pid)).toEqual(dropped);
      expect(privilegesOf(daemon)).toEqual(dropped);
      // Mounts of another namespace would be the unit's alone.
      expect(readlinkSync(`/proc/${pid}/ns/mnt`)).toBe(readlinkSync(`/proc/${lab().pid}/ns/mnt`));
      expect((await jobs.mount(2, target, { host })).body).toMatchObject({ reused_existing: true });

      work = SteadyWork.start(path, ['nsenter', `--target=${lab().pid}`, '--mount', '--pid', '--']);
      await work.goesOn();
      for (const verb of [['restart'], ['kill', '--signal=SIGKILL']]) {
        await lab().control(...verb, service.unit);
        await work.goesOn();
        await service.make('start');
        expect(s3fsProcesses(target.bucket)).toEqual([daemon]);
        expect(privilegesOf(await service.pid())).toEqual(dropped);
      }
      // Who is it that uses it is found among the processes of other users, too.
      await work.goesOn();
      await jobs.unmount(2, target, { host });
      const busy = (await jobs.unmount(1, target, { host })).body;
      expect(busy).toMatchObject({ error_code: 'BUSY', physically_mounted: true });
      expect(String(busy.success_msg)).toContain('bash');
      const { failed, errors } = await work.finish();
      expect({ failed, errors }).toEqual({ failed: 0, errors: '' });
      expect((await jobs.unmount(1, target, { host })).body).toMatchObject({
        physically_mounted: false,
        error_code: null,
      });
      // The empty mountpoint is locked by its flag, which takes a right of its own.
      const { stdout } = await runCommand('lsattr', ['-d', path], { timeoutMs: 10_000 });
      expect(stdout).toMatch(/^\S*i/);
      await lab().control('stop', service.unit);
    },
    180_000,
  );

  itHasSystemd(
    `dms-server with a mount namespace of its own would mount where no job sees it${because}`,
    async () => {
      const host = 'unit-hidden';
      const service = await server(host, ['ProtectSystem=yes', 'MountFlags=shared']);
      await service.make('restart');
      const target = await fleet.targets.s3('hidden');
      await fleet.targets.store.putObject(target.bucket, 'file', 'what a job reads');
      const { body } = await jobs.mount(1, target, { host });
      expect(body).toMatchObject({ status: 'success' });
      const seen = await lab().run('sh', '-c', 'cat "$0/file" || exit 4', String(body.mount_path));
      expect(seen.status).toBe(4);
      await jobs.unmount(1, target, { host });
      await lab().control('stop', service.unit);
    },
    90_000,
  );

  itHasSystemd(
    `dms-client serves jobs as nobody, with no rights and nothing to write to${because}`,
    async () => {
      const port = await freePort();
      const credentials = join(directory(), 'credentials');
      mkdirSync(credentials, { mode: 0o700 });
      const own = fleet.databaseUrl;
      writeFileSync(
        join(credentials, 'client.conf'),
        `[client]\nrabbitmq_url = ${fleet.brokerUrl}\ndb_url = ${own}\n`,
        { mode: 0o600 },
      );
      writeFileSync(join(credentials, 'tokens'), 'secret-of-the-unit-test orchestrator service\n', {
        mode: 0o600,
      });
      await runCommand(
        'openssl',
        ['genpkey', '-algorithm', 'ed25519', '-out', join(credentials, 'signing.pem')],
        { timeoutMs: 10_000 },
      );
      const given = '/run/credentials/dms-client.service';
      const service = new UnitService(lab(), {
        name: 'dms-client',
        directory: directory(),
        program: PROGRAMS.client,
        readyUrl: `http://127.0.0.1:${port}/health/ready`,
        environment: {
          DMS_HTTP_PORT: String(port),
          DMS_AUTH_MODE: 'token',
          DMS_TOKEN_FILE: `${given}/dms_tokens`,
          DMS_SIGNING_KEY_FILE: `${given}/dms_signing.pem`,
        },
        lines: [
          'User=nobody',
          'Group=nogroup',
          'LoadCredential=',
          `LoadCredential=dms:${credentials}`,
          // A checkout may lie where the unit lets nobody look.
          `BindReadOnlyPaths=${ROOT} ${AUTHORITIES}`,
        ],
      });
      await service.define();
      await service.make('start');

      const pid = await service.pid();
      const privileges = privilegesOf(pid);
      expect(privileges).toMatchObject({
        bounding: [],
        effective: [],
        noNewPrivileges: true,
        filtered: true,
      });
      expect(privileges.uid).not.toBe(0);
      // What can be written to is its own /tmp and what the kernel offers.
      const table = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
      const root = table.find((line) => line.split(' ')[4] === '/');
      expect(root?.split(' ')[5].split(',')).toContain('ro');

      const api = new Api(`http://127.0.0.1:${port}`, { authorization: 'Bearer secret-of-the-unit-test' });
      expect((await api.get('/api/v1/nodes')).status).toBe(200);
      expect((await new Api(api.url).get('/api/v1/nodes')).status).toBe(401);
      await lab().control('stop', service.unit);
      const { stdout } = await lab().run('sh', '-c', 'ls /run/credentials');
      expect(stdout).toBe('');
    },
    90_000,
  );

  (differs === null ? it : it.skip)(
    `are as exposed as the documentation says, by systemd-analyze${differs ?? ''}`,
    async () => {
      const documentation = readFileSync(join(ROOT, 'docs/DEPLOYMENT.md'), 'utf8');
      for (const unit of ['dms-server', 'dms-client']) {
        const file = join(ROOT, 'systemd', `${unit}.service`);
        const { stdout } = await runCommand(
          'systemd-analyze',
          ['security', '--offline=yes', '--no-pager', file],
          { timeoutMs: 20_000 },
        );
        const score = /Overall exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1];
        expect(documentation).toMatch(new RegExp(`\\| \`${unit}.service\` \\| ${score} \\|`));
      }
    },
  );
});
