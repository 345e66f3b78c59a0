import { type INestApplication } from '@nestjs/common';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { ErrorFilter } from './error.filter';

const MAX_BODY = '1mb';

/** What all requests of the HTTP facade go through, and the documentation of its calls at /docs and /docs/json. */
export function configureHttp(application: NestExpressApplication, version: string): void {
  application.disable('x-powered-by');
  application.useBodyParser('json', { limit: MAX_BODY, strict: true, type: () => true });
  application.useGlobalFilters(new ErrorFilter());
  describe(application, version);
}

function describe(application: INestApplication, version: string): void {
  const configuration = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Dynamic Mount Service')
    .setDescription('Mounts backup targets on nodes for the jobs that need them.')
    .setVersion(version)
    .build();
  SwaggerModule.setup('docs', application, () => SwaggerModule.createDocument(application, configuration), {
    jsonDocumentUrl: 'docs/json',
  });
}
