import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { AUTHENTICATOR } from '../access/authenticator.interface';
import { AccessModule } from '../access/access.module';
import { type Identity } from '../access/identity';
import { MountRequestsService } from '../mounts/mount-requests.service';
import { MountsHttpController } from '../mounts/mounts.http.controller';
import { NodeAdministrationService } from '../nodes/node-administration.service';
import { NodesHttpController } from '../nodes/nodes.http.controller';
import { NodesService } from '../nodes/nodes.service';
import { ReconcileHttpController } from '../reconcile/reconcile.http.controller';
import { ReconcilerService } from '../reconcile/reconciler.service';
import { loadFacadeSettings } from '../settings/client.settings';
import { SettingsModule } from '../settings/settings.module';
import { StopService } from '../stop/stop.service';
import { configureHttp } from './configure-http';

const PAGE = 'https://console.example';
const REQUEST = {
  job: { jobid: 1 },
  host: 'node-1',
  backup_target: { id: 't', type: 'nfs', filesystem_export: 'server:/export' },
};

describe('requests of the facade', () => {
  const asked: unknown[] = [];
  const answer = (...what: unknown[]): Promise<object> => {
    asked.push(what);
    return Promise.resolve({ id: 'the-operation' });
  };

  @Module({
    controllers: [MountsHttpController, NodesHttpController, ReconcileHttpController],
    providers: [
      {
        provide: MountRequestsService,
        useValue: { begin: () => answer('begin'), execute: () => answer('execute') },
      },
      { provide: NodesService, useValue: {} },
      {
        provide: StopService,
        useFactory: () =>
          new StopService({ liveOperations: () => [], giveUp: () => undefined }, { stopGraceMs: 1_000 }),
      },
      {
        provide: NodeAdministrationService,
        useValue: {
          drain: (host: string, draining: boolean) => answer('drain', host, draining),
          forget: (host: string, fenced: boolean) => answer('forget', host, fenced),
        },
      },
      {
        provide: ReconcilerService,
        useValue: { reconcile: (host: string | null, dryRun: boolean) => answer('reconcile', host, dryRun) },
      },
    ],
  })
  class Controllers {}

  let application: NestExpressApplication;
  let url: string;

  async function start(env: Record<string, string>): Promise<void> {
    const settings = loadFacadeSettings({
      DMS_CONFIG_FILE: '/dev/null',
      DMS_DB_URL: 'mysql://none/none',
      DMS_RABBITMQ_URL: 'amqp://none',
      ...env,
    });
    class Facade {}
    Module({ imports: [SettingsModule.forRoot(settings), AccessModule.forRoot(settings), Controllers] })(
      Facade,
    );
    application = await NestFactory.create<NestExpressApplication>(Facade, {
      logger: false,
      bodyParser: false,
    });
    configureHttp(application, '0');
    await application.listen(0, '127.0.0.1');
    url = `http://127.0.0.1:${(application.getHttpServer() as { address(): AddressInfo }).address().port}`;
  }

  afterEach(() => application.close());
  beforeEach(() => asked.splice(0));

  /** As `curl -X POST` without a body: neither its length nor its type is said. */
  async function postNothing(path: string): Promise<{ status: number; text: string }> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    let text = '';
    socket.on('data', (data) => (text += String(data)));
    await once(socket, 'close');
    return { status: Number(text.split(' ')[1]), text };
  }

  it('may have no body where there is nothing to say', async () => {
    await start({});
    expect(await postNothing('/api/v1/nodes/node-1/drain')).toMatchObject({ status: 200 });
    expect(await postNothing('/api/v1/admin/reconcile')).toMatchObject({ status: 200 });
    expect(asked).toEqual([
      ['drain', 'node-1', true],
      ['reconcile', null, false],
    ]);
    const nothing = await postNothing('/api/v1/mount');
    expect(nothing.status).toBe(400);
    expect(nothing.text).toContain('VALIDATION_FAILED');
  });

  it.each([
    [{}, 75],
    [{ DMS_HTTP_KEEP_ALIVE: '120' }, 120],
  ])(
    'are taken on a connection that was idle for less than the keep-alive time: %j',
    async (env, seconds) => {
      await start(env);
      const response = await fetch(`${url}/api/v2/none`);
      await response.text();
      expect(response.headers.get('keep-alive')).toBe(`timeout=${seconds}`);
    },
  );

  it('that come after the signal to stop are refused by 503, and their connection is closed', async () => {
    await start({});
    const stop = application.get(StopService, { strict: false });
    stop.onModuleDestroy();
    for (const path of ['mount', 'unmount', 'nodes/node-1/drain']) {
      const { status, text } = await postNothing(`/api/v1/${path}`);
      expect(status).toBe(503);
      expect(text).toMatch(/^connection: close\r$/im);
      expect(text).toMatch(/^retry-after: \d+\r$/im);
      expect(text).toContain('"error_code":"CLIENT_UNREACHABLE"');
    }
    expect(asked).toEqual([]);
  });

  it.each(['respond-async', 'wait=10, Respond-Async', 'respond-async; x=1'])(
    'are answered at once with Prefer: %s, and the answer says so',
    async (prefer) => {
      await start({});
      const response = await fetch(`${url}/api/v1/mount`, {
        method: 'POST',
        body: JSON.stringify(REQUEST),
        headers: { prefer },
      });
      expect(response.status).toBe(202);
      expect(response.headers.get('location')).toBe('/api/v1/operations/the-operation');
      expect(response.headers.get('preference-applied')).toBe('respond-async');
      expect(asked).toEqual([['begin']]);
    },
  );

  it('that name what cannot be decoded are refused, and the path is named', async () => {
    await start({});
    const response = await fetch(`${url}/api/v1/nodes/%E0%A4%A`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error_code: 'VALIDATION_FAILED',
      error_msg: expect.stringMatching(/^path: /) as unknown,
    });
  });

  /** A browser's question in advance, without credentials. */
  function preflight(origin: string): Promise<Response> {
    return fetch(`${url}/api/v1/mount`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x-auth-token,content-type',
      },
    });
  }

  it('of other origins are let in by DMS_CORS_ORIGINS, and by nothing else', async () => {
    await start({ DMS_AUTH_MODE: 'keystone', DMS_AUTH_URL: 'http://127.0.0.1:9/v3', DMS_CORS_ORIGINS: PAGE });
    const identity: Identity = {
      userId: null,
      name: 'page',
      projectId: 'p',
      roles: ['member'],
      proven: true,
      expiresAt: null,
    };
    const authenticator = application.get<{ authenticate: unknown }>(AUTHENTICATOR, { strict: false });
    authenticator.authenticate = () => Promise.resolve(identity);
    const allowed = await preflight(PAGE);
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(allowed.headers.get('access-control-allow-headers')).toContain('X-Auth-Token');
    const other = await preflight('https://elsewhere.example');
    expect(other.headers.get('access-control-allow-origin')).not.toBe('https://elsewhere.example');
    const asks = {
      method: 'POST',
      body: JSON.stringify(REQUEST),
      headers: { origin: PAGE, prefer: 'respond-async' },
    };
    const response = await fetch(`${url}/api/v1/mount`, asks);
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(response.headers.get('access-control-expose-headers')).toContain('Location');
  });

  it('of other origins are not let in where nobody said so', async () => {
    await start({ DMS_AUTH_MODE: 'keystone', DMS_AUTH_URL: 'http://127.0.0.1:9/v3' });
    const response = await preflight(PAGE);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});
