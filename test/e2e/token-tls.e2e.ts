import { execFile } from 'node:child_process';
import dns from 'node:dns';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Secret } from '@app/contracts';
import { INSECURE_TLS_WARNING } from '@app/platform';
import { KeystoneTokensAdapter } from '../../apps/dms-client/src/access/keystone-tokens.adapter';
import { deadlineIn } from '../../apps/dms-server/src/providers/deadlines';
import { BarbicanAdapter } from '../../apps/dms-server/src/providers/s3/barbican.adapter';
import { KeystoneCatalogAdapter } from '../../apps/dms-server/src/providers/s3/keystone-catalog.adapter';
import { OpenStackReader } from '../../apps/dms-server/src/providers/s3/openstack-reader';
import { Authority } from '../fleet/certificates';
import { Fleet } from '../fleet/fleet';
import { KeyManagerFront } from '../fleet/key-manager-front';
import { PROGRAMS } from '../fleet/programs';
import { Targets } from '../fleet/targets';
import { TlsTerminator } from '../fleet/tls-terminator';
import { makeDirectory, removeDirectory } from '../rig';
import { describeOnRig } from './on-rig';

const LIMIT_MS = 20_000;
const IP = 'IP:127.0.0.1';

interface Trust {
  readonly caFile?: string | null;
  readonly insecureTls?: boolean;
}

/** Keystone and Barbican behind terminators of TLS, whose certificates are good or are not. */
describeOnRig('a token that goes by TLS', (rig) => {
  const directory = join(rig.directory, 'token-tls');
  const running: { stop(): void }[] = [];
  let authority: Authority;
  let token: Secret;
  let secretRef: string;
  let upstreams: { keystone: string; barbican: string };

  beforeAll(async () => {
    await makeDirectory(directory);
    authority = await Authority.create(join(directory, 'authority'));
    const targets = new Targets(rig);
    token = new Secret(await targets.cloud.token('owner'));
    secretRef = await targets.secret('some-bucket');
    upstreams = { keystone: originOf(rig.cloud?.authUrl), barbican: originOf(rig.cloud?.keyManagerUrl) };
  });
  afterEach(() => {
    for (const service of running.splice(0)) service.stop();
  });
  afterAll(() => removeDirectory(directory));

  async function terminator(
    upstream: string,
    names = IP,
    { issuer = authority, days = 2, at = {} }: { issuer?: Authority; days?: number; at?: object } = {},
  ): Promise<TlsTerminator> {
    const certificate = await issuer.issue(`server-${running.length}`, [names], days);
    const made = await TlsTerminator.start(upstream, certificate, at);
    running.push(made);
    return made;
  }

  /** Reads the secret as a node does. */
  async function read(
    settings: { authUrl?: string; barbicanUrl?: string },
    trust: Trust = {},
  ): Promise<string> {
    const { authUrl = null, barbicanUrl = null } = settings;
    const reader = new OpenStackReader({ caFile: authority.file, insecureTls: false, ...trust });
    const catalog = new KeystoneCatalogAdapter({ authUrl }, reader);
    const ref = new URL(secretRef);
    if (barbicanUrl !== null) Object.assign(ref, { protocol: 'https:', host: new URL(barbicanUrl).host });
    try {
      const barbican = new BarbicanAdapter({ barbicanUrl }, catalog, reader);
      return (await barbican.readSecret(ref.href, token, deadlineIn(LIMIT_MS))).reveal();
    } finally {
      await reader.onApplicationShutdown();
    }
  }

  /** Has the token checked as a dms-client does. */
  async function check(url: string, trust: Trust = {}): Promise<string> {
    const keystone = new KeystoneTokensAdapter(url, { caFile: authority.file, insecureTls: false, ...trust });
    try {
      return String((await keystone.identify(token))?.roles);
    } finally {
      await keystone.onApplicationShutdown();
    }
  }

  /** Each way in which a program sends a token, at a port where TLS is spoken. */
  const WAYS: [string, 'keystone' | 'barbican', (port: number, trust?: Trust) => Promise<string>, RegExp][] =
    [
      [
        'a node to Barbican',
        'barbican',
        (port, trust) => read({ barbicanUrl: `https://127.0.0.1:${port}` }, trust),
        /some-bucket/,
      ],
      [
        'a client to Keystone',
        'keystone',
        (port, trust) => check(`https://127.0.0.1:${port}/v3`, trust),
        /member/,
      ],
    ];

  it.each(WAYS)('goes from %s whose certificate is good, and to no other', async (_, service, send, good) => {
    const genuine = await terminator(upstreams[service]);
    expect(await send(genuine.port)).toMatch(good);
    expect(genuine.asked).toBeGreaterThan(0);

    const stranger = await Authority.create(join(directory, `stranger-${service}`));
    const others: [TlsTerminator, Trust, RegExp][] = [
      [await terminator(upstreams[service]), { caFile: null }, /is of no authority that is trusted here/],
      [
        await terminator(upstreams[service]),
        { caFile: stranger.file },
        /is of no authority that is trusted here/,
      ],
      [await terminator(upstreams[service], 'DNS:other.example'), {}, /certificate is for another name/],
      [await terminator(upstreams[service], IP, { days: -1 }), {}, /certificate has expired/],
    ];
    for (const [server, trust, words] of others) {
      await expect(send(server.port, trust)).rejects.toThrow(words);
      expect(server.asked).toBe(0);
    }
    const plain = await KeyManagerFront.start();
    try {
      await expect(send(Number(new URL(plain.url).port))).rejects.toThrow(/does not speak TLS/);
      expect(plain.requests).toEqual([]);
    } finally {
      await plain.close();
    }
  });

  it.each(WAYS)('goes from %s unchecked by one setting alone', async (_, service, send, good) => {
    const unknown = await terminator(upstreams[service], 'DNS:other.example', { days: -1 });
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      await expect(send(unknown.port, { caFile: null })).rejects.toThrow(/certificate/);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
    expect(unknown.asked).toBe(0);
    expect(await send(unknown.port, { caFile: null, insecureTls: true })).toMatch(good);
  });

  it('goes in clear to no key manager that a catalogue names which came by TLS', async () => {
    const keystone = await terminator(upstreams.keystone);
    const authUrl = `https://127.0.0.1:${keystone.port}/v3`;
    await expect(read({ authUrl })).rejects.toThrow(/by http:\/\/ alone.*no token is sent in clear/);
    expect(keystone.asked).toBe(1);
    expect(await read({ authUrl: `${upstreams.keystone}/v3` })).toContain('some-bucket');
  });

  it('goes nowhere else when the name of the key manager leads elsewhere in the middle', async () => {
    const [name, stranger] = ['key-manager.test', await Authority.create(join(directory, 'rebound'))];
    const genuine = await terminator(upstreams.barbican, `DNS:${name}`);
    const at = { host: '127.0.0.2', port: genuine.port };
    const thief = await terminator(upstreams.barbican, `DNS:${name}`, { issuer: stranger, at });
    const asked: string[] = [];
    const lookup = jest.spyOn(dns, 'lookup').mockImplementation(((
      host: string,
      options: object,
      done: Resolved,
    ) => {
      asked.push(host);
      const address = asked.length === 1 ? '127.0.0.1' : '127.0.0.2';
      if ('all' in options && options.all === true) done(null, [{ address, family: 4 }]);
      else done(null, address, 4);
    }) as never);
    try {
      await expect(read({ barbicanUrl: `https://${name}:${genuine.port}` })).rejects.toThrow(/no authority/);
    } finally {
      lookup.mockRestore();
    }
    expect(asked).toEqual([name, name]);
    expect([genuine.asked, thief.asked]).toEqual([1, 0]);
  });

  it('tells everybody who looks that certificates are not checked', async () => {
    const [keystone, barbican] = [await terminator(upstreams.keystone), await terminator(upstreams.barbican)];
    const settings = {
      DMS_AUTH_URL: `https://127.0.0.1:${keystone.port}/v3`,
      DMS_BARBICAN_URL: `https://127.0.0.1:${barbican.port}`,
      DMS_INSECURE_SKIP_TLS_VERIFY: 'true',
    };
    const fleet = await Fleet.start(rig, { nodeSettings: settings, clientSettings: settings });
    try {
      await fleet.acquainted();
      const made = await fleet.targets.s3('unchecked');
      const ref = made.secretRef.replace(upstreams.barbican, settings.DMS_BARBICAN_URL);
      const request = await fleet.targets.request(fleet.node.host, 1, { ...made, secretRef: ref });
      expect((await fleet.api.post('/api/v1/mount', request)).body).toMatchObject({ status: 'success' });
      expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
      for (const log of [await fleet.node.log(), await fleet.clients[0].log()])
        expect(log).toContain(INSECURE_TLS_WARNING);
      for (const url of [`${fleet.node.healthUrl}/ready`, `${fleet.clients[0].url}/health/ready`]) {
        const { details } = (await (await fetch(url)).json()) as { details: Record<string, unknown> };
        expect(details.tls).toEqual({ status: 'up', warning: INSECURE_TLS_WARNING });
      }
      const env = { ...fleet.clients[0].environment, DMS_NODE_ID: fleet.node.host, ...settings };
      const checked = promisify(execFile)(process.execPath, [PROGRAMS.server, 'check', '--format', 'json'], {
        env,
      });
      // It may exit with 1: other things may be wrong with this environment.
      const { stdout } = await checked.catch((error: { stdout: string }) => error);
      expect(JSON.parse(stdout)).toMatchObject({
        checks: expect.arrayContaining([
          { name: 'TLS', result: 'warning', detail: INSECURE_TLS_WARNING },
        ]) as unknown,
      });
    } finally {
      await fleet.stop();
    }
  }, 60_000);
});

type Resolved = (
  error: null,
  address: string | { address: string; family: number }[],
  family?: number,
) => void;

function originOf(url: string | undefined): string {
  return new URL(String(url)).origin;
}
