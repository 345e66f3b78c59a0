import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeOnRig } from '../e2e/on-rig';
import { Fleet } from '../fleet/fleet';
import { ROOT } from '../fleet/programs';
import { Child, cleanEnvironment, freePort, runCommand, waitFor } from '../rig';
import { CleanRoot } from '../rig/containers/clean-root';
import { missingForContainers } from '../rig/containers/container-host';

const missing = missingForContainers();
const INSTALL = '/src/scripts/install.sh';

describeOnRig('scripts/install.sh on a clean Debian 12', (rig) => {
  if (missing !== null) return it.skip(`cannot be tried here: ${missing}`, () => undefined);
  let fleet: Fleet;
  let clean: CleanRoot;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodes: 0, clients: 0 });
    clean = await CleanRoot.make(join(fleet.directory, 'clean'), ROOT);
  }, 300_000);
  afterAll(() => fleet?.stop(), 120_000);

  const mode = (path: string): string => (statSync(join(clean.root, path)).mode & 0o777).toString(8);
  const install = async (...words: string[]): Promise<string> =>
    (await clean.run([INSTALL, ...words])).stdout;

  it('says what is missing and does nothing, and says what it knows', async () => {
    const { status, stderr } = await clean.run([INSTALL, 'dms-server'], [1]);
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('s3fs') as string,
    });
    expect(existsSync(join(clean.root, 'opt/dms'))).toBe(false);
    expect((await clean.run([INSTALL], [2])).status).toBe(2);
    expect(await install('--help')).toContain('--uninstall');
  }, 60_000);

  it('installs dms-server from a checkout, which is fit then and starts', async () => {
    const said = await install('dms-server', '--packages');
    expect(said).toContain('not started');
    expect([mode('etc/trilio-dms/server.env'), mode('var/lib/trilio/triliovault-mounts')]).toEqual([
      '600',
      '750',
    ]);
    const port = await freePort();
    const settings = [
      ...[`DMS_RABBITMQ_URL=${fleet.brokerUrl}`, `DMS_AUTH_URL=${rig.cloud?.authUrl}`, 'DMS_NODE_ID=clean'],
      ...[`DMS_HEALTH_PORT=${port}`],
    ];
    writeFileSync(join(clean.root, 'etc/trilio-dms/server.env'), `${settings.join('\n')}\n`);
    // Again: settings stay.
    expect(await install('dms-server')).toContain('server.env stays as it is');
    expect(readFileSync(join(clean.root, 'etc/trilio-dms/server.env'), 'utf8')).toContain(
      'DMS_NODE_ID=clean',
    );
    // As the script says that one looks at it by hand.
    const [, look] = /whether this node is fit: (.*)$/m.exec(said) ?? [];
    const checked = (await clean.run(['sh', '-c', look])).stdout;
    expect(checked).toMatch(/broker\s.*takes the login/);
    expect(checked).toMatch(/s3fs/);
    expect((await clean.run(['dms-server', '--version'])).stdout).toMatch(/^\d+\.\d+\.\d+/);

    const [command, ...args] = clean.words('env', ...settings, 'dms-server');
    const server = await Child.start({
      name: 'dms-server',
      command,
      args,
      directory: fleet.directory,
      logFile: join(fleet.directory, 'installed.log'),
      environment: cleanEnvironment(),
    });
    const ready = async (): Promise<boolean> => {
      if (!server.running) throw new Error(`dms-server ${server.outcome}\n${await server.logTail()}`);
      return await fetch(`http://127.0.0.1:${port}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    };
    await waitFor(ready, { timeoutMs: 60_000, what: 'the installed dms-server to be ready' });
    await server.stop();
  }, 300_000);

  it('installs dms-client from a tarball of npm pack beside it, with a user of its own', async () => {
    const place = join(clean.root, 'tarball');
    mkdirSync(place);
    const environment = { ...(process.env as Record<string, string>) };
    const packed = await runCommand(
      'npm',
      ['pack', '--ignore-scripts', '--silent', `--pack-destination=${place}`],
      {
        directory: ROOT,
        environment,
        timeoutMs: 60_000,
      },
    );
    const said = await install(
      'dms-client',
      '--from',
      `/tarball/${packed.stdout.trim()}`,
      '--prefix',
      '/opt/dms-client',
    );
    expect(said).toContain('not started');
    const files = ['client.env', 'client-credentials', 'client-credentials/client.conf'];
    expect(files.map((name) => mode(`etc/trilio-dms/${name}`))).toEqual(['600', '700', '600']);
    expect((await clean.run(['id', 'dms-client'])).stdout).toMatch(
      /^uid=\d+\(dms-client\) gid=\d+\(dms-client\)/,
    );
    expect((await clean.run(['dms', '--version'])).stdout).toMatch(/^dms \d+\.\d+\.\d+/);
    const database = new URL(fleet.databaseUrl);
    const urls = [`DMS_DB_URL=${database.href}`, `DMS_RABBITMQ_URL=${fleet.brokerUrl}`];
    await clean.run(['env', ...urls, 'dms', 'migrate']);
    expect(await fleet.query('SELECT COUNT(*) AS n FROM target_mounts')).toEqual([{ n: 0 }]);
    expect(await clean.unitProblems('dms-server.service', 'dms-client.service')).toBe('');
    expect(readFileSync(join(clean.root, 'etc/systemd/system/dms-client.service'), 'utf8')).toContain(
      'ExecStart=/usr/bin/node /opt/dms-client/dist',
    );
  }, 300_000);

  it.each([
    ['was started once more', 1, 'case $* in *NRestarts*) echo 1 ;; *) echo active ;; esac'],
    ['stays up', 0, 'case $* in *NRestarts*) echo 0 ;; *) echo active ;; esac'],
  ])(
    'tells of a start after which the unit %s, with exit status %d',
    async (_how, status, says) => {
      // No systemd runs in a root directory: what it would say of the unit is said for it.
      const programs = { systemctl: says, journalctl: 'echo the last words of the program' };
      mkdirSync(join(clean.root, 'run/systemd/system'), { recursive: true });
      for (const [name, line] of Object.entries(programs))
        writeFileSync(join(clean.root, 'usr/local/bin', name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
      try {
        const words = [INSTALL, 'dms-client', '--prefix', '/opt/dms-client', '--start'];
        const { stdout, stderr } = await clean.run(words, [status]);
        if (status === 0) expect(stdout).toContain('dms-client.service is started');
        else expect(stderr).toMatch(/the last words of the program\n.*does not start/);
      } finally {
        for (const name of Object.keys(programs)) rmSync(join(clean.root, 'usr/local/bin', name));
        rmSync(join(clean.root, 'run/systemd'), { recursive: true });
      }
    },
    120_000,
  );

  it('removes a program, leaves what is not its own, and says what it leaves', async () => {
    // As dms-server leaves the directory of a target in which nothing is mounted.
    const base = 'var/lib/trilio/triliovault-mounts';
    mkdirSync(join(clean.root, base, 'nightly'));
    writeFileSync(join(clean.root, base, 'nightly/.dms-not-mounted'), '');
    await clean.run(['chattr', '+i', `/${base}/nightly`]);
    const said = await install('dms-server', '--uninstall');
    const [, removal] = /^ {2}(chattr .*)$/m.exec(said) ?? [];
    expect((await clean.run(['rm', '-r', `/${base}`], [1])).stderr).toContain('Operation not permitted');
    await clean.run(['sh', '-c', removal]);
    expect(existsSync(join(clean.root, base))).toBe(false);
    for (const left of ['/etc/trilio-dms', '/var/lib/trilio/triliovault-mounts'])
      expect(said).toContain(`  ${left}\n`);
    const gone = ['opt/dms', 'etc/systemd/system/dms-server.service', 'usr/local/bin/dms-server'];
    expect(gone.filter((path) => existsSync(join(clean.root, path)))).toEqual([]);
    const kept = ['etc/trilio-dms/server.env', 'opt/dms-client', 'etc/systemd/system/dms-client.service'];
    expect(kept.filter((path) => !existsSync(join(clean.root, path)))).toEqual([]);
    await install('dms-client', '--uninstall', '--prefix', '/opt/dms-client');
    expect(existsSync(join(clean.root, 'opt/dms-client'))).toBe(false);
    expect(existsSync(join(clean.root, 'etc/trilio-dms/client-credentials/client.conf'))).toBe(true);
  }, 60_000);
});
