import { constants } from 'node:os';
import { isSameSignal, Rig } from '../rig';
import { Fleet } from '../fleet/fleet';
import { runMainJob } from './main-job';
import { say, step } from './say';

/** A person, or who runs this, has ended the demo. */
class Interruption extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
  }
}

/** Rejects when a person ends the demo. Who asks again while it cleans up means now: the guardian does the rest. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    let first: number | null = null;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (first !== null && !isSameSignal(first)) process.exit(128 + constants.signals[signal]);
        first ??= performance.now();
        reject(new Interruption(signal));
      });
    }
  });
}

async function demo(keep: boolean): Promise<void> {
  const interrupted = interruption();
  let rig: Rig | undefined;
  let fleet: Fleet | undefined;
  try {
    step('Starting private MariaDB, RabbitMQ, Keystone, Barbican and an S3 endpoint');
    const starting = Rig.start({ stopOnSignals: false, onProgress: say }).then((started) => (rig = started));
    await Promise.race([starting, interrupted]).finally(() => starting.catch(() => undefined));
    step('Starting one dms-server and one dms-client');
    const options = { clientSettings: { DMS_LOG_LEVEL: 'INFO' } };
    const launching = Fleet.start((await starting).addresses, options).then((started) => (fleet = started));
    // What is half started is started to the end, to be ended as a whole.
    await Promise.race([launching, interrupted]).finally(() => launching.catch(() => undefined));
    fleet = await launching;
    say(`node "${fleet.node.host}", HTTP facade at ${fleet.api.url}`);
    await Promise.race([runMainJob(fleet), interrupted]);
    if (keep) {
      await tellHowToTry(fleet, String((await starting).addresses.cloud?.authUrl));
      await interrupted.catch(() => undefined);
    }
  } finally {
    step('Cleaning up: ending every program, removing every directory');
    await fleet?.stop();
    await rig?.stop();
    say('nothing is left');
  }
}

async function tellHowToTry(fleet: Fleet, authUrl: string): Promise<void> {
  const { node, targets, api } = fleet;
  const target = await targets.s3('try');
  const dms = 'node dist/apps/dms-client/src/cli/main.js';
  const what = `--target-id ${target.id} --target-type s3 --host ${node.host} --secret-ref ${target.secretRef}`;
  step('What a dms-server and a dms-client of your own would need');
  say(`export DMS_RABBITMQ_URL=${fleet.brokerUrl}`);
  say(`export DMS_DB_URL=${fleet.databaseUrl}`);
  say(`export DMS_AUTH_URL=${authUrl}`);
  step(`Everything stays up until ctrl-C, or "kill ${process.pid}". In another terminal:`);
  say(`export DMS_API_URL=${api.url}`);
  say(`export KEYSTONE_TOKEN=${await targets.cloud.token('owner')}`);
  say(`${dms} mount --job-id 1 ${what}`);
  say(`${dms} list-mounts`);
  say(`${dms} run --job-id 2 ${what} -- sh -c 'date >"$DMS_MOUNT_PATH"/now; ls -l "$DMS_MOUNT_PATH"'`);
  say(`${dms} unmount --job-id 1 ${what}`);
  say(`${dms} nodes ${node.host}`);
  say(`export DMS_RUN_DIR=${node.runDirectory} DMS_PID_DIR=${node.pidDirectory}`);
  say(`node dist/apps/dms-server/src/main.js processes`);
  say(`curl ${api.url}/api/v1/operations`);
  say(`OpenAPI: ${api.url}/docs`);
}

const [option, ...others] = process.argv.slice(2);
if (others.length > 0 || (option !== undefined && option !== '--keep')) {
  process.stderr.write('Usage: npm run demo [-- --keep]\n--keep: everything stays up, to try things on\n');
  process.exit(option === '--help' ? 0 : 2);
}
demo(option === '--keep').catch((error: unknown) => {
  process.stderr.write(
    `\nThe demo did not finish: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = error instanceof Interruption ? 128 + constants.signals[error.signal] : 1;
});
