import { type INestApplication, Logger, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions } from '@nestjs/microservices';
import { ErrorFilter, INSECURE_TLS_WARNING, listenProblem, programVersion } from '@app/platform';
import { AppModule } from './app.module';
import { NodeCommandServer } from './commands/node-command.server';
import { AdoptionService } from './mounts/adoption.service';
import { daemonsEndBecause } from './processes/container';
import { type ServerSettings } from './settings/server.settings';

const MOUNTS_END_WARNING =
  'S3 mounts end with it, because their FUSE daemons do. Drain this node before you stop it, or run dms-server on the host as a service.';

/** A server that is told to stop ends within this time, come what may. */
const STOP_MS = 20_000;

/** A dms-server that runs. */
export interface RunningServer {
  /** Lets commands in flight end and closes everything; mounts stay. */
  stop(): Promise<void>;
  /** Rejects when the server cannot go on. */
  readonly failed: Promise<never>;
}

/**
 * Starts the server: memory and lock, adoption, health port, hello, and then commands. It waits for a broker that is
 * not there yet.
 *
 * @throws Error that says why it must not or cannot start
 */
export async function startServer(settings: ServerSettings, logger: LoggerService): Promise<RunningServer> {
  const app = await NestFactory.create(AppModule.of(settings), {
    logger,
    abortOnError: false,
    bodyParser: false,
    forceCloseConnections: true,
  });
  const log = new Logger('dms-server');
  const strategy = app.get(NodeCommandServer);
  const failed = new Promise<never>((_resolve, reject) => {
    strategy.on('failure', reject);
  });
  try {
    log.log({ msg: 'dms-server starts', version: programVersion(), node: settings.nodeId, pid: process.pid });
    if (settings.insecureTls) log.warn(INSECURE_TLS_WARNING);
    const place = daemonsEndBecause();
    if (place !== null) log.warn(`dms-server runs ${place}: ${MOUNTS_END_WARNING}`);
    app.useGlobalFilters(new ErrorFilter());
    await app.get(AdoptionService).adopt();
    app.connectMicroservice<MicroserviceOptions>({ strategy });
    await listen(app, settings);
    log.log({ msg: 'Health is served', url: await app.getUrl() });
  } catch (error) {
    await app.close();
    throw error;
  }
  // A broker may be away for long, and a signal has to be heard meanwhile.
  const consuming = app.startAllMicroservices().then(() => {
    log.log({ msg: 'dms-server is ready', node: settings.nodeId });
  });
  return {
    stop: () => stop(app),
    failed: Promise.race([failed, consuming.then(() => failed)]),
  };
}

async function listen(
  app: INestApplication,
  { healthHost: host, healthPort: port }: ServerSettings,
): Promise<void> {
  try {
    await app.listen(port, host);
  } catch (error) {
    throw listenProblem(error, {
      host,
      port,
      hostSetting: 'DMS_HEALTH_HOST',
      portSetting: 'DMS_HEALTH_PORT',
    });
  }
}

async function stop(app: INestApplication): Promise<void> {
  const late = setTimeout(() => {
    // What hangs is no reason to stay: commands go back to the queue, and their epochs are remembered.
    process.exit(1);
  }, STOP_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(late);
  }
}
