#!/usr/bin/env node
import { endWithReader, PinoLogger, programVersion, SettingsError, startTracing } from '@app/platform';
import { startServer } from './server';
import { requireRunDirectory } from './settings/private-directory';
import { loadServerSettings, unknownServerSettings } from './settings/server.settings';

const HELP = `Usage: dms-server [processes | check | forget-ledger] [--help | --version]

Mounts and unmounts backup targets on this node, by commands from the message broker.
Settings come from the environment (DMS_RABBITMQ_URL, DMS_NODE_ID, DMS_MOUNT_BASE, ...)
and from /etc/trilio-dms/server.conf.

  processes       show and end the FUSE processes of this node
  check           look whether this node and its configuration are fit
  forget-ledger   let another database's dms-clients take this node over while something is mounted
`;
const WRONG_USE = 2;

/** Runs until a signal or a failure, and gives the exit status. */
async function run(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === 'processes' || command === 'check' || command === 'forget-ledger') {
    const { runCommand } = await import('./cli/program.js');
    return await runCommand(command, rest);
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP);
    return 0;
  }
  if (args.includes('--version')) {
    process.stdout.write(`${programVersion()}\n`);
    return 0;
  }
  if (args.length > 0) {
    process.stderr.write(`dms-server: unknown argument "${args[0]}"\n${HELP}`);
    return WRONG_USE;
  }
  return await serve();
}

async function serve(): Promise<number> {
  const settings = loadServerSettings();
  const logger = new PinoLogger({ level: settings.logLevel, name: 'dms-server' });
  for (const problem of unknownServerSettings()) logger.warn(problem, 'configuration');
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  await requireRunDirectory(settings.runDir);
  const tracing = { ...settings, service: 'dms-server', version: programVersion(), node: settings.nodeId };
  await startTracing(tracing);
  const server = await startServer(settings, logger);
  try {
    const signal = await Promise.race([signalled, server.failed]);
    logger.log(`${signal}: dms-server stops, its mounts stay`, 'dms-server');
    return 0;
  } finally {
    await server.stop();
  }
}

endWithReader();
run(process.argv.slice(2))
  .catch((error: unknown) => {
    process.stderr.write(`dms-server: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof SettingsError ? WRONG_USE : 1;
  })
  .then((status) => process.exit(status))
  .catch(() => process.exit(1));
