import { connect } from 'node:net';
import { join } from 'node:path';
import { type Answer } from '../fleet/api';
import { Fleet } from '../fleet/fleet';
import { type Fault, KeyManagerFront } from '../fleet/key-manager-front';
import { mountsBelow } from '../fleet/mount-table';
import { Recorder } from '../fleet/recorder';
import { type S3Target } from '../fleet/targets';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const PROXY_VARIABLES = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];

/**
 * A Keystone whose catalogue names a front as the key manager, and somebody at many addresses who would like to be sent
 * a token. Node and client have him as their proxy, too.
 */
describeOnRig('where a token goes', (shared) => {
  let rig: Rig;
  let front: KeyManagerFront;
  let thief: Recorder;
  let fleet: Fleet;
  let target: S3Target;
  let genuine: string;
  /** His port where the host is another one, and the key manager's port. */
  let port: number;
  let frontPort: number;
  let job = 0;

  beforeAll(async () => {
    [front, thief] = [await KeyManagerFront.start(), new Recorder()];
    port = await thief.listen('127.0.0.1');
    frontPort = Number(new URL(front.url).port);
    await thief.listen('127.0.0.2', frontPort);
    await thief.listen('::1', frontPort);
    rig = await Rig.start({ parts: ['openstack'] });
    rig.cloud.keystone.keyManagerUrl = front.url;
    await rig.cloud.keystone.restart();
    const proxies = Object.fromEntries(PROXY_VARIABLES.map((name) => [name, `http://127.0.0.1:${port}`]));
    const environment = { ...proxies, NODE_USE_ENV_PROXY: '1', DMS_AUTH_URL: rig.cloud.keystone.authUrl };
    fleet = await Fleet.start(
      { ...shared, cloud: rig.cloud.address },
      { nodeSettings: environment, clientSettings: { ...environment, DMS_AUTH_MODE: 'keystone' } },
    );
    await fleet.acquainted();
    target = await fleet.targets.s3('guarded');
    genuine = front.refOf(target.secretRef);
  }, 120_000);
  afterAll(async () => {
    await fleet?.stop();
    await rig?.stop();
    await front?.close();
    thief?.stop();
  });

  async function ask(action: 'mount' | 'unmount', secretRef: string): Promise<Answer> {
    const token = await fleet.targets.cloud.token('owner');
    const body = await fleet.targets.request(fleet.node.host, (job += 1), { ...target, secretRef });
    return fleet.api
      .with({ 'x-auth-token': token })
      .post(`/api/v1/${action}`, { ...body, context: undefined });
  }
  const path = (ref = genuine): string => new URL(ref).pathname;
  const id = (): string => genuine.slice(-36);

  it('is the key manager that the catalogue names, and no proxy', async () => {
    const answer = await ask('mount', genuine);
    expect(answer.body).toMatchObject({ status: 'success' });
    expect(mountsBelow(join(fleet.node.base, target.id))).toHaveLength(1);
    job -= 1;
    expect((await ask('unmount', genuine)).body).toMatchObject({ unmounted: true });
    expect(thief.heard).toBe('');
  }, 60_000);

  it.each<[string, () => string]>([
    ['another host', () => `http://127.0.0.2:${frontPort}${path()}`],
    ['another port', () => `http://127.0.0.1:${port}${path()}`],
    ['another scheme', () => `https://127.0.0.1:${frontPort}${path()}`],
    ['a name for the same address', () => `http://localhost:${frontPort}${path()}`],
    ['a trailing dot', () => `http://localhost.:${frontPort}${path()}`],
    ['upper case of another host', () => `HTTP://LOCALHOST:${frontPort}${path()}`],
    ['a user', () => `http://127.0.0.1:${frontPort}@127.0.0.2:${frontPort}${path()}`],
    ['a user with the host', () => `http://owner@127.0.0.1:${port}${path()}`],
    ['a backslash before the host', () => `http:\\\\127.0.0.1:${port}${path()}`],
    ['a backslash before a user', () => `http://127.0.0.1:${frontPort}\\@127.0.0.1:${port}${path()}`],
    ['a tab in the host', () => `http://127.0.0.1\t:${port}${path()}`],
    ['a line break', () => `http://127.0.0.1:${frontPort}${path()}\r\nHost: 127.0.0.1:${port}`],
    ['a fragment before the host', () => `http://127.0.0.1:${port}#@127.0.0.1:${frontPort}${path()}`],
    ['a query', () => `http://127.0.0.1:${port}?${frontPort}${path()}`],
    ['IPv6', () => `http://[::1]:${frontPort}${path()}`],
    ['IPv4 in IPv6', () => `http://[::ffff:127.0.0.1]:${frontPort}${path()}`],
    ['IPv6 with a zone', () => `http://[::1%25lo]:${frontPort}${path()}`],
    ['another address as a number', () => `http://2130706434:${frontPort}${path()}`],
    ['another address in octal', () => `http://0177.0.0.02:${frontPort}${path()}`],
    ['another address in hexadecimal', () => `http://0x7f000002:${frontPort}${path()}`],
    ['a short address', () => `http://127.2:${frontPort}${path()}`],
    ['full-width digits of another host', () => `http://１２７.0.0.２:${frontPort}${path()}`],
    ['a host in punycode', () => `http://xn--bcher-kva.127.0.0.1:${frontPort}${path()}`],
    ['letters that look the same', () => `http://lоcalhost:${frontPort}${path()}`],
    ['ideographic full stops', () => `http://127。0。0。2:${frontPort}${path()}`],
    ['no host', () => `http:///${path()}`],
    ['no scheme', () => `//127.0.0.1:${port}${path()}`],
    ['a file', () => `file://127.0.0.1${path()}`],
    ['a bare id', () => id()],
    ['a path that goes up', () => `${front.url}/v1/secrets/../../other/${id()}`],
    ['an encoded path that goes up', () => `${front.url}/v1/secrets/%2e%2e/%2e%2e/other/${id()}`],
    ['an encoded slash', () => `${front.url}/v1/secrets%2F${id()}`],
    ['an id and more', () => `${front.url}/v1/secrets/${id()}/../../orders/${id()}`],
  ])('is not where a reference with %s would lead', async (_, secretRef) => {
    const answer = await ask('mount', secretRef());
    expect({ status: answer.status, code: answer.body.error_code }).toEqual({
      status: 400,
      code: 'VALIDATION_FAILED',
    });
    expect(answer.body.error_msg).toContain('backup_target.secret_ref');
    expect(thief.heard).toBe('');
  });

  it.each<[string, () => string]>([
    ['the address as a number', () => `http://2130706433:${frontPort}${path()}`],
    ['the address in octal and short', () => `http://0177.1:${frontPort}${path()}`],
    ['upper case', () => genuine.toUpperCase().replace('/V1/SECRETS/', '/v1/secrets/')],
    ['another path before it', () => `${front.url}/x%2f..%2f/../a/v1/secrets/${id()}/`],
  ])('is the key manager all the same where a reference spells it with %s', async (_, secretRef) => {
    const before = front.requests.length;
    expect((await ask('mount', secretRef())).body).toMatchObject({ status: 'success' });
    job -= 1;
    expect((await ask('unmount', secretRef())).body).toMatchObject({ unmounted: true });
    expect(front.requests.slice(before)).toEqual([`/v1/secrets/${id()}`, `/v1/secrets/${id()}/payload`]);
    expect(thief.heard).toBe('');
  });

  it.each([301, 302, 303, 307, 308])('is nowhere a redirect (%i) leads', async (status) => {
    for (const stage of ['metadata', 'payload'] as const) {
      const { secretRef } = await fleet.targets.s3('redirected');
      const fault: Fault = (request, response) =>
        void response.writeHead(status, { location: `http://127.0.0.1:${port}${request.url}` }).end();
      const answer = await ask('mount', front.refOf(secretRef, { stage, fault }));
      expect(answer.body).toMatchObject({ error_code: 'SECRET_UNAVAILABLE' });
      expect(answer.body.error_msg).toContain(`redirect (${status}), which is not followed`);
      expect(thief.heard).toBe('');
    }
  });

  it('would have been heard', async () => {
    for (const [host, at] of [
      ['127.0.0.1', port],
      ['127.0.0.2', frontPort],
      ['::1', frontPort],
    ] as const) {
      connect(at, host)
        .on('error', () => undefined)
        .end();
      await waitFor(() => thief.heard.includes(`connection to ${host}`), {
        timeoutMs: 5_000,
        what: 'the thief',
      });
    }
  });
});
