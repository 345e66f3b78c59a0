#!/usr/bin/env node
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { DmsError } from '@app/contracts';
import {
  endWithReader,
  INSECURE_TLS_WARNING,
  listenProblem,
  PinoLogger,
  programVersion,
  SettingsError,
  startTracing,
  unknownSettings,
} from '@app/platform';
import { type AddressInfo } from 'node:net';
import { AppModule } from './app.module';
import { CLI_SETTINGS } from './cli/cli.settings';
import { configureHttp } from './http/configure-http';
import { ledgerError } from './ledger/ledger-errors';
import { MigrateService } from './ledger/migrate.service';
import {
  CLIENT_SETTINGS,
  clientFiles,
  type ClientSettings,
  loadFacadeSettings,
} from './settings/client.settings';

const HELP = `Usage: dms-client [--help | --version]

Keeps the ledger of mounts, sends the commands to the nodes, and serves the HTTP facade.
Settings come from the environment (DMS_DB_URL, DMS_RABBITMQ_URL, DMS_HTTP_PORT, ...)
and from /etc/trilio-dms/client.conf. People use the command dms.
`;
const WRONG_USE = 2;
/** After the grace period for requests, connections to broker and database are closed within this time. */
const CLOSING_MS = 4_000;

async function start(settings: ClientSettings): Promise<void> {
  const version = programVersion();
  await startTracing({ ...settings, service: 'dms-client', version });
  const logger = new PinoLogger({ level: settings.logLevel, name: 'dms-client' });
  const unknown = unknownSettings([CLIENT_SETTINGS, CLI_SETTINGS], clientFiles(process.env));
  for (const problem of unknown) logger.warn(problem, 'configuration');
  const application = await create(settings, logger);
  if (settings.insecureTls) new Logger('main').warn(INSECURE_TLS_WARNING);
  configureHttp(application, version);
  application.enableShutdownHooks();
  endAtLast(settings);
  if (settings.migrateAtStart) await application.get(MigrateService).migrate();
  await listen(application, settings);
  const { address, port } = (application.getHttpServer() as { address(): AddressInfo }).address();
  new Logger('main').log({ msg: 'dms-client is ready', address, port, version });
}

/** A program that is told to stop ends, also where a part of it hangs. */
function endAtLast({ stopGraceMs }: ClientSettings): void {
  const end = (): void => {
    setTimeout(() => process.exit(1), stopGraceMs + CLOSING_MS).unref();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
}

/** @throws DmsError LEDGER_UNAVAILABLE where the database does not come within some seconds */
async function create(settings: ClientSettings, logger: PinoLogger): Promise<NestExpressApplication> {
  try {
    return await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings), {
      logger,
      bodyParser: false,
      abortOnError: false,
    });
  } catch (error) {
    // Drivers' errors have codes; another says itself what it is.
    throw typeof (error as { code?: unknown }).code === 'string' ? ledgerError(error) : error;
  }
}

async function listen(application: NestExpressApplication, settings: ClientSettings): Promise<void> {
  const { httpHost: host, httpPort: port } = settings;
  try {
    await application.listen(port, host);
  } catch (error) {
    throw listenProblem(error, { host, port, hostSetting: 'DMS_HTTP_HOST', portSetting: 'DMS_HTTP_PORT' });
  }
}

endWithReader();
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
    start(loadFacadeSettings()).catch((error: unknown) => fail(error));
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): never {
  const wrongUse = error instanceof SettingsError;
  process.stderr.write(`dms-client: ${textOf(error)}\n`);
  process.exit(wrongUse ? WRONG_USE : 1);
}

function textOf(error: unknown): string {
  if (error instanceof DmsError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
