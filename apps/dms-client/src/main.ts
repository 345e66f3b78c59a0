#!/usr/bin/env node
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { INSECURE_TLS_WARNING, PinoLogger, programVersion, SettingsError, startTracing } from '@app/platform';
import { type AddressInfo } from 'node:net';
import { AppModule } from './app.module';
import { configureHttp } from './http/configure-http';
import { MigrateService } from './ledger/migrate.service';
import { type ClientSettings, loadClientSettings } from './settings/client.settings';

const HELP = `Usage: dms-client [--help | --version]

Keeps the ledger of mounts, sends the commands to the nodes, and serves the HTTP facade.
Settings come from the environment (DMS_DB_URL, DMS_RABBITMQ_URL, DMS_HTTP_PORT, ...)
and from /etc/trilio-dms/client.conf. People use the command dms.
`;
const WRONG_USE = 2;

async function start(settings: ClientSettings): Promise<void> {
  const version = programVersion();
  await startTracing({ ...settings, service: 'dms-client', version });
  const application = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings), {
    logger: new PinoLogger({ level: settings.logLevel, name: 'dms-client' }),
    bodyParser: false,
    abortOnError: false,
  });
  if (settings.insecureTls) new Logger('main').warn(INSECURE_TLS_WARNING);
  configureHttp(application, version);
  application.enableShutdownHooks();
  if (settings.migrateAtStart) await application.get(MigrateService).migrate();
  await application.listen(settings.httpPort, settings.httpHost);
  const { address, port } = (application.getHttpServer() as { address(): AddressInfo }).address();
  new Logger('main').log({ msg: 'dms-client is ready', address, port, version });
}

const [argument] = process.argv.slice(2);
if (argument === undefined) run();
else if (argument === '--help' || argument === '-h') process.stdout.write(HELP);
else if (argument === '--version') process.stdout.write(`${programVersion()}\n`);
else {
  process.stderr.write(`dms-client: unknown argument "${argument}"\n${HELP}`);
  process.exitCode = WRONG_USE;
}

function run(): void {
  try {
    start(loadClientSettings()).catch((error: unknown) => fail(error));
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): never {
  const wrongUse = error instanceof SettingsError;
  process.stderr.write(`dms-client: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(wrongUse ? WRONG_USE : 1);
}
