import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Answer, type Api } from '../fleet/api';
import { type ClientProcess } from '../fleet/client-process';
import { EventReader } from '../fleet/event-reader';
import { Fleet } from '../fleet/fleet';
import { PROGRAMS } from '../fleet/programs';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const TOKEN_LIFETIME_S = 10;
/** A changed file of tokens is noticed within a second; it is asserted at three times that. */
const NOTICED_MS = 3 * 1_000;
/** dms waits 3 seconds for a database; it is asserted at three times that. */
const GIVEN_UP_MS = 3 * 3_000;
const TOKENS = {
  root: 'root-token-0123456789abcdef',
  job: 'job-token-0123456789abcdef',
  other: 'other-token-0123456789abcdef',
  late: 'late-token-0123456789abcdef',
};

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function outcome({ status, body }: Answer): { status: number; code: unknown } {
  return { status, code: body.error_code };
}

describeOnRig('access by its modes', (rig) => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    await fleet.acquainted();
  });
  afterAll(() => fleet?.stop());

  const started = async (settings: Record<string, string>): Promise<ClientProcess> => {
    const client = fleet.addClient(settings);
    await client.start();
    return client;
  };
  /** What a dms-client says that does not start. */
  const refusal = async (
    settings: Record<string, string>,
    program = PROGRAMS.client,
    words: readonly string[] = [],
  ): Promise<{ code: number; stdout: string; stderr: string }> => {
    const env = { ...fleet.clients[0].environment, DMS_HTTP_PORT: '0', ...settings };
    const run = promisify(execFile)(process.execPath, [program, ...words], { env, timeout: 30_000 });
    return run.then(
      (said) => ({ code: 0, ...said }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };

  it.each([
    ['none, on an address of others', { DMS_HTTP_HOST: '0.0.0.0' }, 'DMS_HTTP_HOST'],
    ['keystone, without its address', { DMS_AUTH_MODE: 'keystone' }, 'DMS_AUTH_URL'],
    ['token, without a file', { DMS_AUTH_MODE: 'token' }, 'DMS_TOKEN_FILE'],
    ['token, with a file that is not there', { DMS_AUTH_MODE: 'token', DMS_TOKEN_FILE: '/none' }, 'ENOENT'],
  ])('does not start with %s', async (_, settings, names) => {
    const { code, stderr } = await refusal(settings);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(names) as string });
  });

  it('does not start on a port that is in use, and names the setting', async () => {
    const { port } = new URL(fleet.api.url);
    expect(await refusal({ DMS_HTTP_PORT: port })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`DMS_HTTP_PORT: port ${port} `) as string,
    });
  });

  it('says at once that the database refuses the login, in a line that says where; so does dms, whose user it is not to try again', async () => {
    const url = new URL(fleet.databaseUrl);
    url.password = 'hunter2';
    const refused = `DMS_DB_URL: the database at ${url.host} refuses the login (ER_ACCESS_DENIED_ERROR)`;
    expect(await refusal({ DMS_DB_URL: url.href })).toMatchObject({
      code: 1,
      stdout: expect.not.stringContaining('tried again') as string,
      stderr: expect.stringMatching(`^dms-client: LEDGER_UNAVAILABLE: ${literal(refused)}.*\n$`) as string,
    });
    const asked = { DMS_DB_URL: url.href, DMS_LOG_LEVEL: '' };
    expect(await refusal(asked, PROGRAMS.cli, ['list-mounts'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(`^dms: VALIDATION_FAILED: .*${literal(refused)}.*\n$`) as string,
    });
  });

  it('dms waits some seconds for a database that is down, dms-client longer and says so', async () => {
    const settings = { DMS_DB_URL: 'mysql://nobody:hunter2@127.0.0.1:1/none', DMS_LOG_LEVEL: '' };
    const down = 'DMS_DB_URL: the database at 127.0.0.1:1 cannot be reached (ECONNREFUSED)';
    const began = performance.now();
    expect(await refusal(settings, PROGRAMS.cli, ['list-mounts'])).toMatchObject({
      code: 75,
      stderr: `dms: LEDGER_UNAVAILABLE: ${down}\n`,
    });
    expect(performance.now() - began).toBeLessThan(GIVEN_UP_MS);
    const ended = await refusal({ ...settings, DMS_LOG_LEVEL: 'INFO' });
    expect(ended).toMatchObject({ code: 1, stderr: `dms-client: LEDGER_UNAVAILABLE: ${down}\n` });
    const lines = ended.stdout.split('\n').filter((line) => line.includes('"Database"'));
    expect(lines.filter((line) => line.includes(`${down}; it is tried again`))).toHaveLength(9);
    expect(lines.filter((line) => line.includes('stack'))).toEqual([]);
  });

  it('does not start with a file of tokens that others can read', async () => {
    const file = join(fleet.directory, 'open-tokens');
    await writeFile(file, `${TOKENS.root} root admin\n`);
    await chmod(file, 0o644);
    const { code, stderr } = await refusal({ DMS_AUTH_MODE: 'token', DMS_TOKEN_FILE: file });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('chmod 600') as string });
    expect(stderr).not.toContain(TOKENS.root);
  });

  it('takes static tokens with their roles and projects, and follows the file', async () => {
    const file = join(fleet.directory, 'tokens');
    const lines = [
      `${TOKENS.root} root admin`,
      `${TOKENS.job} job member one`,
      `${TOKENS.other} other member two`,
    ];
    await writeFile(file, `# who may call\n${lines.join('\n')}\n`, { mode: 0o600 });
    const client = await started({ DMS_AUTH_MODE: 'token', DMS_TOKEN_FILE: file });
    const as = (token: string): Api => client.api.with({ authorization: `Bearer ${token}` });
    const missing = await client.api.get('/api/v1/bindings');
    expect(outcome(missing)).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
    expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="dms"');
    expect(outcome(await as(`${TOKENS.root}x`).get('/api/v1/bindings'))).toMatchObject({ status: 401 });
    expect((await as(TOKENS.root).get('/api/v1/nodes')).status).toBe(200);
    expect(outcome(await as(TOKENS.job).get('/api/v1/nodes'))).toMatchObject({ status: 403 });

    const target = await fleet.targets.s3('static');
    const body = { ...(await fleet.targets.request(fleet.node.host, 1, target)), context: undefined };
    expect((await as(TOKENS.job).post('/api/v1/mount', body)).body).toMatchObject({ status: 'success' });
    const binding = `/api/v1/bindings/1/${target.id}`;
    expect((await as(TOKENS.job).get(binding)).body).toMatchObject({ project_id: 'one' });
    expect(outcome(await as(TOKENS.other).get(binding))).toMatchObject({ status: 404 });
    const second = { ...body, job: { jobid: 2 } };
    expect(outcome(await as(TOKENS.other).post('/api/v1/mount', second))).toMatchObject({ status: 403 });
    await as(TOKENS.job).post('/api/v1/unmount', body);

    const statusOf = async (token: string): Promise<number> =>
      (await as(token).get('/api/v1/bindings')).status;
    await writeFile(file, `${TOKENS.late} late member one\n`);
    await waitFor(async () => (await statusOf(TOKENS.late)) === 200, {
      timeoutMs: NOTICED_MS,
      what: 'the new token',
    });
    expect(await statusOf(TOKENS.root)).toBe(401);
    await chmod(file, 0o644);
    await waitFor(async () => (await statusOf(TOKENS.late)) === 503, {
      timeoutMs: NOTICED_MS,
      what: 'the mode',
    });
    expect(outcome(await as(TOKENS.late).get('/api/v1/bindings')).code).toBe('AUTH_UNAVAILABLE');
    await chmod(file, 0o600);
    await waitFor(async () => (await statusOf(TOKENS.late)) === 200, {
      timeoutMs: NOTICED_MS,
      what: 'the mode',
    });
    const log = await client.log();
    for (const token of Object.values(TOKENS)) expect(log).not.toContain(token);
    await client.stop();
  });

  it('believes in mode none what a request says of its project', async () => {
    const target = await fleet.targets.s3('claimed');
    const requestOf = async (jobid: number, project_id: string | null): Promise<Record<string, unknown>> => ({
      ...(await fleet.targets.request(fleet.node.host, jobid, target)),
      context: { project_id },
    });
    const mount = async (jobid: number, project: string | null): Promise<Answer> =>
      fleet.api.post('/api/v1/mount', await requestOf(jobid, project));
    expect((await mount(1, 'one')).body).toMatchObject({ status: 'success' });
    expect(outcome(await mount(2, 'two'))).toEqual({ status: 403, code: 'FORBIDDEN' });
    expect((await mount(3, 'one')).body).toMatchObject({ reused_existing: true });
    expect((await mount(4, null)).body).toMatchObject({ reused_existing: true });
    // Who joins needs no secret, so that nobody looks at its token.
    const joining = { ...(await requestOf(5, 'one')), keystone_token: 'no-token-of-anybody' };
    expect((await fleet.api.post('/api/v1/mount', joining)).body).toMatchObject({ reused_existing: true });
    for (const jobid of [1, 3, 4, 5]) await fleet.api.post('/api/v1/unmount', await requestOf(jobid, null));
  });

  it('takes in mode none no request of a web page', async () => {
    const { hostname, port } = new URL(fleet.clients[0].url);
    const statusWith = (headers: Record<string, string>, path = '/api/v1/bindings'): Promise<unknown> =>
      new Promise((resolve, reject) => {
        request({ hostname, port, path, headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode));
        })
          .once('error', reject)
          .end();
      });
    expect(await statusWith({})).toBe(200);
    expect(await statusWith({ host: `localhost:${port}`, origin: fleet.clients[0].url })).toBe(200);
    expect(await statusWith({ host: 'rebound.example' })).toBe(403);
    expect(await statusWith({ origin: 'https://page.example' })).toBe(403);
    // An image of a page, or a link on it.
    expect(await statusWith({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    for (const path of ['/health/live', '/metrics', '/docs/json', '/docs', '/none']) {
      expect(await statusWith({ host: 'rebound.example' }, path)).toBe(403);
      expect(await statusWith({ 'sec-fetch-site': 'cross-site' }, path)).toBe(403);
    }
    expect(await statusWith({}, '/health/live')).toBe(200);
  });

  it('sends the headers that matter, none for other origins, and no stack', async () => {
    const { url } = fleet.clients[0];
    const answers = [
      await fleet.api.get('/api/v1/bindings'),
      await fleet.api.get('/api/v1/none'),
      await fleet.api.postText('/api/v1/mount', '{"a": '),
      await fleet.api.postText('/api/v1/mount', JSON.stringify('x'.repeat(1024 * 1024))),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 400, 413]);
    for (const { headers, body } of answers) {
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('access-control-allow-origin')).toBeNull();
      expect(JSON.stringify(body)).not.toMatch(/\bat .*\.js|node_modules|stack/);
    }
    const page = await fetch(`${url}/docs`);
    const policy = String(page.headers.get('content-security-policy'));
    expect(policy).toContain("script-src 'self'");
    // The policy lets scripts in from this origin alone, and the page has no other.
    const scripts = [...(await page.text()).matchAll(/<script([^>]*)>/g)].map(([, attributes]) => attributes);
    expect(scripts.length).toBeGreaterThan(0);
    for (const attributes of scripts) expect(attributes).toMatch(/src="\.?\/[^/]/);
  });

  it('answers what is too much of one caller with 429, and others as ever', async () => {
    const file = join(fleet.directory, 'limited-tokens');
    const lines = [`${TOKENS.job} job member one`, `${TOKENS.other} other member two`];
    await writeFile(file, lines.join('\n'), { mode: 0o600 });
    const client = await started({
      DMS_AUTH_MODE: 'token',
      DMS_TOKEN_FILE: file,
      DMS_CALLER_RATE: '2',
    });
    const as = (token: string): Api => client.api.with({ authorization: `Bearer ${token}` });
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => as(TOKENS.job).get('/api/v1/bindings')),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(1);
    expect(Number(refused[0].headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(outcome(refused[0]).code).toBe('RATE_LIMITED');
    expect((await as(TOKENS.other).get('/api/v1/bindings')).status).toBe(200);
    await client.stop();
  });

  it('bounds what is under way of one caller', async () => {
    const file = join(fleet.directory, 'bounded-tokens');
    await writeFile(file, `${TOKENS.job} job member one`, { mode: 0o600 });
    const client = await started({ DMS_AUTH_MODE: 'token', DMS_TOKEN_FILE: file, DMS_CALLER_REQUESTS: '1' });
    const headers = { authorization: `Bearer ${TOKENS.job}` };
    const api = client.api.with(headers);
    const stream = await EventReader.open(`${client.url}/api/v1/events`, headers);
    expect(outcome(await api.get('/api/v1/bindings'))).toEqual({ status: 429, code: 'RATE_LIMITED' });
    await stream.close();
    await waitFor(async () => (await api.get('/api/v1/bindings')).status === 200, {
      timeoutMs: 5_000,
      what: 'the stream to be counted no more',
    });
    await client.stop();
  });

  it('lets a token in until it ends, and nobody unchecked while Keystone is away', async () => {
    const cloudRig = await Rig.start({
      parts: ['openstack'],
      stopOnSignals: false,
      openstack: { keystone: { tokenLifetimeSeconds: TOKEN_LIFETIME_S } },
    });
    try {
      const { cloud } = cloudRig;
      // Keystone's word would count for minutes; the token's end counts before.
      const settings = {
        DMS_AUTH_MODE: 'keystone',
        DMS_AUTH_URL: cloud.keystone.authUrl,
        DMS_AUTH_CACHE: '300',
      };
      const client = await started(settings);
      const as = (token: string): Api => client.api.with({ 'x-auth-token': token });
      const short = await cloud.token('owner');
      const stream = await EventReader.open(`${client.url}/api/v1/events`, { 'x-auth-token': short });
      expect((await as(short).get('/api/v1/bindings')).status).toBe(200);
      await waitFor(async () => (await as(short).get('/api/v1/bindings')).status === 401, {
        timeoutMs: 3 * TOKEN_LIFETIME_S * 1000,
        what: 'the token to end',
      });
      await waitFor(() => stream.ended, { timeoutMs: 3_000, what: 'the stream to end with its token' });
      await stream.close();

      const [known, unknown] = [await cloud.token('owner'), await cloud.token('stranger')];
      expect((await as(known).get('/api/v1/bindings')).status).toBe(200);
      await cloud.keystone.stop();
      const answer = await as(unknown).get('/api/v1/bindings');
      expect(outcome(answer)).toEqual({ status: 503, code: 'AUTH_UNAVAILABLE' });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(JSON.stringify(answer.body)).not.toContain(unknown);
      expect((await client.api.get('/health/ready')).status).toBe(200);
      await cloud.keystone.start();
      const renewed = await cloud.token('stranger');
      expect((await as(renewed).get('/api/v1/bindings')).status).toBe(200);
      const log = await client.log();
      for (const token of [short, known, unknown, renewed]) expect(log).not.toContain(token);
      await client.stop();
    } finally {
      await cloudRig.stop();
    }
  }, 120_000);
});
