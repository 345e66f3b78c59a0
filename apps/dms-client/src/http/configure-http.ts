import { type RequestListener, type Server } from 'node:http';
import { type INestApplication } from '@nestjs/common';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { AccessMiddleware } from '../access/access.middleware';
import { LoadLimitService } from '../access/load-limit.service';
import { ErrorDto } from '@app/contracts';
import { ErrorFilter } from '@app/platform';
import { withAnswers } from './api-document';
import { withTypes } from './api-types';
import { limitConnections } from './connection-limits';
import { refuseOverload } from './refuse-overload';
import { requestContext } from './request-context.middleware';
import { StopService } from '../stop/stop.service';
import { securityHeaders } from './security-headers';

const MAX_BODY = '1mb';
/** For so long a browser need not ask again what other origins may do. */
const PREFLIGHT_S = 600;

/** What all requests of the HTTP facade go through, and the documentation of its calls at /docs and /docs/json. */
export function configureHttp(application: NestExpressApplication, version: string): void {
  application.disable('x-powered-by');
  application.disable('etag');
  trustProxies(application);
  application.use(requestContext);
  application.use(securityHeaders);
  allowOrigins(application);
  application.use(application.get(StopService, { strict: false }).use);
  application.use(application.get(AccessMiddleware, { strict: false }).use);
  application.useBodyParser('json', { limit: MAX_BODY, strict: true, type: () => true });
  application.useGlobalFilters(new ErrorFilter());
  const server: Server = application.getHttpServer();
  keepConnections(application, server);
  const express = application.getHttpAdapter().getInstance() as RequestListener;
  refuseOverload(server, express, application.get(LoadLimitService, { strict: false }));
  describe(application, version);
}

/** Whose word on the address of a caller counts. */
function trustProxies(application: NestExpressApplication): void {
  const { trustedProxies } = application.get<ClientSettings>(SETTINGS, { strict: false });
  if (trustedProxies !== null) application.set('trust proxy', [...trustedProxies]);
}

function keepConnections(application: NestExpressApplication, server: Server): void {
  const { httpKeepAliveMs } = application.get<ClientSettings>(SETTINGS, { strict: false });
  server.keepAliveTimeout = httpKeepAliveMs;
  limitConnections(server);
}

/** Before the middleware that asks who calls: a browser sends its question in advance without credentials. */
function allowOrigins(application: NestExpressApplication): void {
  const { corsOrigins } = application.get<ClientSettings>(SETTINGS, { strict: false });
  if (corsOrigins === null) return;
  application.enableCors({
    origin: [...corsOrigins],
    methods: ['GET', 'POST', 'DELETE'],
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'Prefer',
      'X-Auth-Token',
      'X-Request-Id',
    ],
    exposedHeaders: ['Location', 'Preference-Applied', 'Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
    maxAge: PREFLIGHT_S,
  });
}

/** Documents the calls at /docs, and as OpenAPI at /docs/json. */
export function describe(application: INestApplication, version: string): void {
  const configuration = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Dynamic Mount Service')
    .setDescription('Mounts backup targets on nodes for the jobs that need them.')
    .setVersion(version)
    .addApiKey(
      { type: 'apiKey', in: 'header', name: 'X-Auth-Token', description: 'A Keystone token.' },
      'keystone',
    )
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', bearerFormat: 'opaque', description: 'A token of DMS_TOKEN_FILE.' },
      'token',
    )
    .addSecurityRequirements('keystone')
    .addSecurityRequirements('token')
    .build();
  const document = (): OpenAPIObject =>
    withTypes(
      withAnswers(SwaggerModule.createDocument(application, configuration, { extraModels: [ErrorDto] })),
    );
  SwaggerModule.setup('docs', application, document, {
    jsonDocumentUrl: 'docs/json',
  });
}
