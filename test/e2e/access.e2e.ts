import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Answer, type Api } from '../fleet/api';
import { EventReader } from '../fleet/event-reader';
import { Fleet } from '../fleet/fleet';
import { PROGRAMS } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { type UserName, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const FORBIDDEN = { status: 403, code: 'FORBIDDEN' };
const UNAUTHENTICATED = { status: 401, code: 'UNAUTHENTICATED' };
/** DMS_AUTH_CACHE: how long a revoked token may be good; it is asserted at three times its value. */
const CACHE_S = 1;

function outcome({ status, body }: Answer): { status: number; code: unknown } {
  return { status, code: body.error_code };
}

describeOnRig('access with Keystone', (rig) => {
  let fleet: Fleet;
  const tokens = new Map<UserName, string>();
  let job = 100;

  const userApi = (user: UserName): Api => fleet.api.with({ 'x-auth-token': String(tokens.get(user)) });
  const requestOf = async (user: UserName, jobid: number, target: S3Target, changes = {}) => {
    const request = await fleet.targets.request(fleet.node.host, jobid, target);
    return { ...request, context: undefined, keystone_token: tokens.get(user), ...changes };
  };
  const send = async (
    action: 'mount' | 'unmount',
    user: UserName,
    jobid: number,
    target: S3Target,
    changes = {},
  ) => userApi(user).post(`/api/v1/${action}`, await requestOf(user, jobid, target, changes));
  /** Mounted for a new job of tenant-one. */
  const held = async (name: string) => {
    const target = await fleet.targets.s3(name);
    const jobid = (job += 1);
    const { body } = await send('mount', 'owner', jobid, target);
    expect(body.error_msg).toBeNull();
    const operationId = String(body.operation_id);
    return { target, jobid, operationId, binding: `/api/v1/bindings/${jobid}/${target.id}` };
  };
  const stateOf = async (jobid: number, target: S3Target): Promise<unknown> =>
    (await userApi('owner').get(`/api/v1/bindings/${jobid}/${target.id}`)).body.state;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, {
      clientSettings: {
        DMS_AUTH_MODE: 'keystone',
        DMS_AUTH_URL: String(rig.cloud?.authUrl),
        DMS_AUTH_CACHE: String(CACHE_S),
        DMS_SETTLE_INTERVAL: '0.5',
      },
    });
    await fleet.acquainted();
    for (const user of ['admin', 'dms', 'owner', 'colleague', 'reader', 'stranger'] as const)
      tokens.set(user, await fleet.targets.cloud.token(user));
  });
  afterAll(() => fleet?.stop());

  it.each([
    ['no token', {}],
    ['garbage', { 'x-auth-token': 'garbage' }],
    ['a bearer token', { authorization: 'Bearer garbage' }],
  ] as [string, Record<string, string>][])(
    'answers %s with 401 and says what is wanted',
    async (_, headers) => {
      const answer = await fleet.api.with(headers).get('/api/v1/bindings');
      expect(outcome(answer)).toEqual(UNAUTHENTICATED);
      expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${rig.cloud?.authUrl}"`);
    },
  );

  it('lets nobody in with a token that was revoked', async () => {
    const token = await fleet.targets.cloud.token('owner');
    const api = fleet.api.with({ 'x-auth-token': token });
    expect((await api.get('/api/v1/bindings')).status).toBe(200);
    await fleet.targets.cloud.revoke(token);
    await waitFor(async () => (await api.get('/api/v1/bindings')).status === 401, {
      timeoutMs: 3 * CACHE_S * 1000,
      what: 'the revoked token to be refused',
    });
  });

  it('lets nobody in with a token that is for no project', async () => {
    const token = await fleet.targets.cloud.unscopedToken('owner');
    const answer = await fleet.api.with({ 'x-auth-token': token }).get('/api/v1/bindings');
    expect(outcome(answer)).toEqual(FORBIDDEN);
  });

  it('writes the project of the token, not that of the body', async () => {
    const { target, jobid, binding, operationId } = await held('project');
    const project = await fleet.targets.cloud.projectId('tenant-one');
    expect((await userApi('owner').get(binding)).body).toMatchObject({ project_id: project });
    const where = [operationId];
    expect(await fleet.query('SELECT project_id FROM mount_operations WHERE id = ?', where)).toEqual([
      { project_id: project },
    ]);
    for (const field of ['project_id', 'tenant_id']) {
      const context = { [field]: await fleet.targets.cloud.projectId('tenant-two') };
      const answer = await send('mount', 'owner', jobid, target, { context });
      expect(outcome(answer)).toEqual(FORBIDDEN);
      expect(answer.body.error_msg).toContain(`context.${field}`);
    }
    const own = await send('unmount', 'owner', jobid, target, { context: { project_id: project } });
    expect(own.body).toMatchObject({ unmounted: true });
  });

  it('shows a project its own bindings and operations alone', async () => {
    const { target, jobid, binding, operationId } = await held('seen');
    const stranger = userApi('stranger');
    expect((await stranger.get('/api/v1/bindings')).body).toMatchObject({ bindings: [] });
    expect((await stranger.get('/api/v1/operations')).body).toMatchObject({ operations: [] });
    expect((await stranger.get(`/api/v1/targets/${target.id}/history`)).body).toMatchObject({
      operations: [],
    });
    expect(outcome(await stranger.get(binding))).toEqual(NOT_FOUND);
    expect(outcome(await stranger.get(`${binding}?verify`))).toEqual(NOT_FOUND);
    expect(outcome(await stranger.get(`/api/v1/operations/${operationId}`))).toEqual(NOT_FOUND);
    for (const user of ['owner', 'colleague', 'reader', 'dms', 'admin'] as const) {
      expect((await userApi(user).get(binding)).body).toMatchObject({ jobid, state: 'held' });
      expect((await userApi(user).get(`/api/v1/operations/${operationId}`)).status).toBe(200);
      const list = await userApi(user).get<{ bindings: unknown[] }>(`/api/v1/bindings?jobid=${jobid}`);
      expect(list.body.bindings).toHaveLength(1);
    }
    await send('unmount', 'owner', jobid, target);
  });

  it("changes nothing of another project's, and tells nothing of it", async () => {
    const { target, jobid, binding } = await held('untouched');
    const stranger = userApi('stranger');
    expect(outcome(await stranger.delete(binding))).toEqual(NOT_FOUND);
    expect(outcome(await stranger.post(`${binding}/renew`, { lease_s: 60 }))).toEqual(NOT_FOUND);
    expect((await stranger.delete(`/api/v1/jobs/${jobid}/bindings`)).body).toMatchObject({ released: [] });
    // As the unmount of what was never asked for.
    const { body } = await send('unmount', 'stranger', jobid, target);
    expect(body).toMatchObject({ unmounted: false, physically_mounted: false, active_mounts_remaining: 0 });
    expect({ path: body.mount_path, epoch: body.epoch }).toEqual({ path: null, epoch: 0 });
    expect((await send('unmount', 'stranger', jobid + 1000, target)).body).toMatchObject({
      physically_mounted: false,
      mount_path: null,
    });
    expect(outcome(await send('mount', 'stranger', jobid, target))).toEqual(FORBIDDEN);
    expect(await stateOf(jobid, target)).toBe('held');
    expect((await send('unmount', 'owner', jobid, target)).body).toMatchObject({ unmounted: true });
  });

  it('lets no job of another project attach to a mount; colleagues and services may', async () => {
    const { target, jobid } = await held('attach');
    const ids = { owner: jobid, colleague: (job += 1), dms: (job += 1), stranger: (job += 1) };
    const refused = await send('mount', 'stranger', ids.stranger, target);
    expect(outcome(refused)).toEqual(FORBIDDEN);
    expect(JSON.stringify(refused.body)).not.toContain(fleet.node.base);
    // Whose token reads the secret does not matter: the caller is who attaches.
    const borrowed = await send('mount', 'stranger', ids.stranger, target, {
      keystone_token: tokens.get('owner'),
    });
    expect(outcome(borrowed)).toEqual(FORBIDDEN);
    for (const user of ['colleague', 'dms'] as const)
      expect((await send('mount', user, ids[user], target)).body).toMatchObject({ reused_existing: true });
    const where = [ids.stranger];
    expect(await fleet.query('SELECT id FROM backup_target_mount_ledger WHERE jobid = ?', where)).toEqual([]);
    for (const user of ['colleague', 'dms', 'owner'] as const) await send('unmount', user, ids[user], target);
    // Nothing is mounted any more: now it is Barbican that refuses.
    const alone = await send('mount', 'stranger', ids.stranger, target);
    expect(outcome(alone)).toEqual(FORBIDDEN);
    expect(alone.body.error_msg).toContain('Barbican');
  });

  it('gives first requests of two projects that meet no share in each other', async () => {
    for (let round = 0; round < 5; round += 1) {
      const target = await fleet.targets.s3('meet');
      const [mine, theirs] = [(job += 1), (job += 1)];
      const first = round % 2 === 0 ? 'owner' : 'stranger';
      const users = first === 'owner' ? (['owner', 'stranger'] as const) : (['stranger', 'owner'] as const);
      const answers = await Promise.all(
        users.map(
          async (user) =>
            [user, await send('mount', user, user === 'owner' ? mine : theirs, target)] as const,
        ),
      );
      const by = Object.fromEntries(answers);
      expect(by.owner.body).toMatchObject({ status: 'success' });
      expect(outcome(by.stranger)).toEqual(FORBIDDEN);
      expect((await send('unmount', 'owner', mine, target)).body).toMatchObject({ unmounted: true });
    }
  });

  it('lets readers see and not change', async () => {
    const { target, jobid, binding } = await held('reader');
    expect(outcome(await send('unmount', 'reader', jobid, target))).toEqual(FORBIDDEN);
    expect(outcome(await userApi('reader').delete(binding))).toEqual(FORBIDDEN);
    expect(await stateOf(jobid, target)).toBe('held');
    await send('unmount', 'owner', jobid, target);
  });

  it.each([
    ['GET', 'nodes', ['dms', 'admin']],
    ['GET', 'nodes/HOST', ['dms', 'admin']],
    ['GET', 'admin/locks', ['dms', 'admin']],
    ['POST', 'admin/reconcile', ['dms', 'admin']],
    ['POST', 'admin/cleanup', ['admin']],
    ['POST', 'nodes/HOST/drain', ['admin']],
    ['POST', 'nodes/HOST/forget', ['admin']],
    ['DELETE', 'admin/locks/HOST/none', ['admin']],
  ] as const)('lets %s %s be called by %p alone', async (method, path, allowed) => {
    const url = `/api/v1/${path.replace('HOST', fleet.node.host)}`;
    const body = { 'admin/cleanup': { hours: 1, dry_run: true }, 'nodes/HOST/drain': { draining: false } }[
      path as string
    ];
    for (const user of ['owner', 'reader', 'stranger', 'dms', 'admin'] as const) {
      const api = userApi(user);
      const answer = await (method === 'GET'
        ? api.get(url)
        : method === 'DELETE'
          ? api.delete(url)
          : api.post(url, body ?? {}));
      const isForbidden = outcome(answer).code === 'FORBIDDEN';
      expect({ user, isForbidden }).toEqual({ user, isForbidden: !allowed.some((one) => one === user) });
    }
  });

  it('tells each project its own events, and ends the stream of a token that was revoked', async () => {
    const url = `${fleet.clients[0].url}/api/v1/events`;
    const open = (token: string): Promise<EventReader> => EventReader.open(url, { 'x-auth-token': token });
    const passing = await fleet.targets.cloud.token('colleague');
    const readers = {
      owner: await open(String(tokens.get('owner'))),
      stranger: await open(String(tokens.get('stranger'))),
      service: await open(String(tokens.get('dms'))),
      passing: await open(passing),
    };
    const { target, jobid } = await held('events');
    await send('mount', 'stranger', (job += 1), target);
    await send('unmount', 'owner', jobid, target);
    const kinds = (reader: EventReader): string[] =>
      reader.events.filter(({ backup_target_id }) => backup_target_id === target.id).map(({ kind }) => kind);
    const all = ['operation_begun', 'mounted', 'released', 'unmounted', 'operation_ended'];
    for (const reader of [readers.owner, readers.service])
      await waitFor(() => all.every((kind) => kinds(reader).includes(kind)), {
        timeoutMs: 10_000,
        what: 'the events',
      });
    // The stranger is told of the own request, which was refused, and of nothing else.
    await waitFor(() => kinds(readers.stranger).length > 0, { timeoutMs: 10_000, what: 'the own event' });
    expect(readers.stranger.events.map(({ kind, jobids }) => [kind, jobids])).toEqual([
      ['operation_ended', [job]],
    ]);
    await fleet.targets.cloud.revoke(passing);
    await waitFor(() => readers.passing.ended, { timeoutMs: 3 * 11_000, what: 'the stream to end' });
    expect(readers.owner.ended).toBe(false);
    await Promise.all(Object.values(readers).map((reader) => reader.close()));
  });

  it('is used by dms with KEYSTONE_TOKEN, or the token of a request', async () => {
    const dms = async (args: string[], environment: Record<string, string>): Promise<string> => {
      const env = { ...fleet.clients[0].environment, DMS_API_URL: fleet.clients[0].url, ...environment };
      const run = promisify(execFile)(process.execPath, [PROGRAMS.cli, ...args], { env });
      return run.then(
        ({ stdout }) => stdout,
        (error: { stderr: string }) => error.stderr,
      );
    };
    expect(await dms(['list-mounts', '--format', 'json'], {})).toContain('UNAUTHENTICATED');
    const asOwner = { KEYSTONE_TOKEN: String(tokens.get('owner')) };
    expect(JSON.parse(await dms(['list-mounts', '--format', 'json'], asOwner))).toHaveProperty('bindings');
    expect(await dms(['nodes'], asOwner)).toContain('FORBIDDEN');
    expect(await dms(['nodes'], { KEYSTONE_TOKEN: String(tokens.get('dms')) })).toContain(fleet.node.host);
  });

  it('leaves no token in logs and ledger', async () => {
    const log = await fleet.clients[0].log();
    const rows = JSON.stringify(await fleet.query('SELECT * FROM mount_operations'));
    expect(rows).toContain('***');
    for (const token of tokens.values()) {
      expect(log).not.toContain(token);
      expect(rows).not.toContain(token);
    }
  });
});
