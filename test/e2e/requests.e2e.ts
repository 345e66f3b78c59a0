import { connect } from 'amqplib';
import { type ErrorCode, ERROR_CODES } from '@app/contracts';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

interface ApiAnswer {
  readonly description: string;
  readonly content?: Record<string, { examples?: Record<string, { value: object }> }>;
}

interface ApiDocument {
  readonly paths: Record<string, Record<string, { responses: Record<string, ApiAnswer> }>>;
  readonly components: {
    readonly schemas: { readonly ErrorDto: { required: string[]; properties: object } };
    readonly securitySchemes: { readonly token: object };
  };
}

describeOnRig('requests that are repeated, put off or go nowhere', (rig) => {
  let fleet: Fleet;
  let target: S3Target;

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    target = await fleet.targets.s3('requests');
  });
  afterAll(() => fleet?.stop());

  it('answers a repeated Idempotency-Key as the first time, while the hold lasts', async () => {
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const key = { 'Idempotency-Key': 'key-1' };
    const first = await fleet.api.post('/api/v1/mount', request, key);
    const second = await fleet.api.post('/api/v1/mount', request, key);
    expect(second.body).toEqual(first.body);
    const other = await fleet.api.post('/api/v1/mount', { ...request, job: { jobid: 2 } }, key);
    expect(other.body.error_code).toBe('CONFLICT');
    await fleet.api.post('/api/v1/unmount', request);
    const late = await fleet.api.post('/api/v1/mount', request, key);
    expect(late.body.error_code).toBe('CONFLICT');
  });

  it('carries requests with one Idempotency-Key that meet out once', async () => {
    const request = await fleet.targets.request(fleet.node.host, 3, target);
    const key = { 'Idempotency-Key': 'met' };
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map(() => fleet.api.post('/api/v1/mount', request, key)),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(answers.map(({ body }) => body.operation_id)).size).toBe(1);
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
  });

  it('answers Prefer: respond-async with an operation that tells the end', async () => {
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const { status, headers, body } = await fleet.api.post('/api/v1/mount', request, {
      Prefer: 'respond-async',
    });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/api/v1/operations/${String(body.id)}`);
    expect(headers.get('preference-applied')).toBe('respond-async');
    await waitFor(
      async () => (await fleet.api.get(`/api/v1/operations/${String(body.id)}`)).body.status === 'success',
      {
        timeoutMs: 30_000,
        what: 'the operation to succeed',
      },
    );
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
  });

  it('answers NODE_UNREACHABLE at once where the queue stands but nobody listens', async () => {
    const host = `deaf-${target.id}`;
    const connection = await connect(fleet.brokerUrl);
    const channel = await connection.createChannel();
    await channel.assertQueue(`dms.${host}`, { durable: true });
    const began = performance.now();
    const { status, body } = await fleet.api.post(
      '/api/v1/mount',
      await fleet.targets.request(host, 1, target),
    );
    expect({ status, code: body.error_code }).toEqual({ status: 503, code: 'NODE_UNREACHABLE' });
    expect(performance.now() - began).toBeLessThan(5_000);
    expect((await channel.checkQueue(`dms.${host}`)).messageCount).toBe(0);
    await channel.deleteQueue(`dms.${host}`);
    await connection.close();
    const rows = await fleet.query('SELECT status, error_code FROM mount_operations WHERE host = ?', [host]);
    expect(rows).toEqual([{ status: 'error', error_code: 'NODE_UNREACHABLE' }]);
  });

  it('answers NODE_UNREACHABLE within two heartbeats where a node has lost its power, and takes away later what was let go', async () => {
    const { node } = fleet;
    const [held, asked] = [
      await fleet.targets.request(node.host, 1, target),
      await fleet.targets.request(node.host, 2, await fleet.targets.s3('asked')),
    ];
    const state = async (): Promise<unknown> => {
      const { body } = await fleet.api.get<{ nodes: { state: string }[] }>('/api/v1/nodes');
      return body.nodes.at(0)?.state;
    };
    expect((await fleet.api.post('/api/v1/mount', held)).body.status).toBe('success');
    node.signal('SIGSTOP');
    try {
      const silent = async (): Promise<boolean> => (await state()) === 'silent';
      await waitFor(silent, { timeoutMs: 20_000, what: 'the node to be silent' });
      const began = performance.now();
      const [mount, unmount] = await Promise.all([
        fleet.api.post('/api/v1/mount', asked),
        fleet.api.post('/api/v1/unmount', held),
      ]);
      // Two heartbeats are 10 s.
      expect(performance.now() - began).toBeLessThan(30_000);
      expect({ status: mount.status, code: mount.body.error_code }).toEqual({
        status: 503,
        code: 'NODE_UNREACHABLE',
      });
      expect(mount.headers.get('retry-after')).toMatch(/^\d+$/);
      expect({ status: unmount.status, body: unmount.body }).toMatchObject({
        status: 200,
        body: { unmounted: false, physically_mounted: true, error_code: 'NODE_UNREACHABLE' },
      });
    } finally {
      node.signal('SIGCONT');
    }
    const gone = (): Promise<boolean> => Promise.resolve(mountsBelow(node.base).length === 0);
    await waitFor(gone, { timeoutMs: 90_000, what: 'the mount that nobody holds to be taken away' });
    await waitFor(async () => (await state()) === 'up', { timeoutMs: 30_000, what: 'the node to be heard' });
    expect((await fleet.api.post('/api/v1/mount', asked)).body).toMatchObject({ reused_existing: false });
    expect((await fleet.api.post('/api/v1/unmount', asked)).body).toMatchObject({ unmounted: true });
  }, 180_000);

  it('goes on answering for other targets while one takes long to mount', async () => {
    const slow = await fleet.targets.secret(target.bucket, { endpoint_url: 'http://127.0.0.1:9' });
    const key = { 'Idempotency-Key': 'slow' };
    const asked = await fleet.targets.request(fleet.node.host, 5, { id: 'slow', secretRef: slow });
    const begun = await fleet.api.post('/api/v1/mount', asked, { ...key, Prefer: 'respond-async' });
    const again = await fleet.api.post('/api/v1/mount', asked, { ...key, Prefer: 'respond-async' });
    expect(again).toMatchObject({ status: 202, body: { id: begun.body.id, status: 'executing' } });
    const hanging = fleet.api.post('/api/v1/mount', asked, key);
    const request = await fleet.targets.request(fleet.node.host, 6, target);
    expect((await fleet.api.post('/api/v1/mount', request)).body.status).toBe('success');
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
    expect(await fleet.node.ready()).toBe(true);
    expect((await hanging).body.error_code).toBe('MOUNT_FAILED');
  });

  it('is live and ready, and documents its calls', async () => {
    for (const path of ['/health/live', '/health/ready'])
      expect((await fleet.api.get(path)).status).toBe(200);
    const { body } = await fleet.api.get<{ openapi: string; paths: object }>('/docs/json');
    expect(body.openapi).toMatch(/^3\.1/);
    expect(Object.keys(body.paths)).toEqual(expect.arrayContaining(['/api/v1/mount', '/api/v1/unmount']));
  });

  it('documents every answer of every call, the errors by the table of codes', async () => {
    const { body } = await fleet.api.get<ApiDocument>('/docs/json');
    const calls = Object.entries(body.paths)
      .filter(([path]) => path.startsWith('/api/'))
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, call]) => ({ path, method, call })),
      );
    expect(calls.length).toBeGreaterThan(15);
    for (const { path, method, call } of calls) {
      const statuses = Object.keys(call.responses);
      expect({ path, method, statuses }).toMatchObject({
        statuses: expect.arrayContaining(['200', '401', '503']) as unknown,
      }); // prettier-ignore
      for (const [status, { description, content }] of Object.entries(call.responses)) {
        expect({ path, method, status, described: description.length > 10 }).toMatchObject({
          described: true,
        });
        const examples = content?.['application/json']?.examples ?? {};
        for (const [code, { value }] of Object.entries(examples)) {
          expect(ERROR_CODES[code as ErrorCode].http).toBe(Number(status));
          expect(Object.keys(value)).toEqual(
            expect.arrayContaining(body.components.schemas.ErrorDto.required),
          );
          expect(Object.keys(body.components.schemas.ErrorDto.properties)).toEqual(expect.arrayContaining(Object.keys(value))); // prettier-ignore
        }
      }
    }
    const mount = body.paths['/api/v1/mount'].post.responses;
    expect(Object.keys(mount)).toEqual(['200', '202', '400', '401', '403', '404', '409', '413', '429', '500', '502', '503', '504']); // prettier-ignore
    expect(body.components.securitySchemes.token).toMatchObject({ scheme: 'bearer', bearerFormat: 'opaque' });
  });

  it('answers what it does not have in the one shape, the node as the client does', async () => {
    const { body } = await fleet.api.get('/api/v2/none');
    const ofNode = await fetch(`${fleet.node.healthUrl}/none`);
    expect(ofNode.status).toBe(404);
    expect(await ofNode.json()).toEqual(body);
    expect(body).toMatchObject({ status: 'error', success_msg: null, error_code: 'NOT_FOUND' });
  });

  it('hears that a node stops, and shows it as silent at once', async () => {
    const state = async () => (await fleet.query<{ state: string }>('SELECT state FROM nodes'))[0]?.state;
    expect(await state()).toBe('up');
    await fleet.node.stop();
    // The ledger says so only where the node itself has: a silence is not written.
    await waitFor(async () => (await state()) === 'silent', { timeoutMs: 5_000, what: 'the last hello to be heard' }); // prettier-ignore
    expect((await fleet.api.get(`/api/v1/nodes/${fleet.node.host}`)).body.state).toBe('silent');
    await fleet.node.start();
    await waitFor(async () => (await state()) === 'up', { timeoutMs: 20_000, what: 'a new hello' });
  });

  it('serves a node whose name is as long as a name may be', async () => {
    const node = fleet.addNode({}, `long-${target.id}-`.padEnd(251, 'x'));
    await node.start();
    try {
      const request = await fleet.targets.request(node.host, 1, target);
      expect((await fleet.api.post('/api/v1/mount', request)).body).toMatchObject({ status: 'success' });
      const { body } = await fleet.api.get(`/api/v1/nodes/${node.host}`);
      expect(body).toMatchObject({ host: node.host, state: 'up' });
      expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
    } finally {
      await node.stop();
    }
  }, 60_000);
});
