import { type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo } from 'node:net';
import { AppModule } from '../../apps/dms-client/src/app.module';
import { describe } from '../../apps/dms-client/src/http/configure-http';
import { loadClientSettings } from '../../apps/dms-client/src/settings/client.settings';

/** A schema of the document, as far as it is shown. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly (string | number | null)[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

/** One call. */
export interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, Content & { readonly description: string }>>;
  readonly 'x-dms-access'?: string;
}

/** The OpenAPI document of dms-client, as far as it is shown. */
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/**
 * The document that dms-client serves at /docs/json, from an application of which nothing is started.
 *
 * What comes from comments and types is in it only where the code was compiled by `nest build`.
 */
export async function openApiDocument(): Promise<OpenApi> {
  const settings = loadClientSettings({
    DMS_CONFIG_FILE: '/dev/null',
    DMS_DB_URL: 'mysql://nobody@localhost/none',
    DMS_RABBITMQ_URL: 'amqp://localhost',
  });
  const application = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  describe(application, '');
  return served(application);
}

async function served(application: INestApplication): Promise<OpenApi> {
  const server = createServer(application.getHttpAdapter().getInstance() as RequestListener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/docs/json`, { headers: { connection: 'close' } });
    return (await answer.json()) as OpenApi;
  } finally {
    server.close();
  }
}
