import { Rig } from '../rig';
import { Fleet } from '../fleet/fleet';
import { runMainJob } from './main-job';
import { say, step } from './say';

/** Rejects when a person ends the demo. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => reject(new Error(`ended by ${signal}`)));
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
    const launching = Fleet.start((await starting).addresses, { clientSettings: { DMS_LOG_LEVEL: 'INFO' } });
    fleet = await Promise.race([launching, interrupted]);
    say(`node "${fleet.node.host}", HTTP facade at ${fleet.api.url}`);
    await Promise.race([runMainJob(fleet), interrupted]);
    if (keep) {
      tellHowToTry(fleet);
      await interrupted.catch(() => undefined);
    }
  } finally {
    step('Cleaning up: ending every program, removing every directory');
    await fleet?.stop();
    await rig?.stop();
    say('nothing is left');
  }
}

function tellHowToTry(fleet: Fleet): void {
  step('Everything stays up until ctrl-C. In another terminal:');
  for (const [name, value] of Object.entries(fleet.clients[0].environment)) {
    if (name.startsWith('DMS_')) say(`export ${name}='${value}'`);
  }
  say(`node dist/apps/dms-client/src/cli/main.js nodes`);
  say(`curl ${fleet.api.url}/api/v1/bindings`);
  say(`OpenAPI: ${fleet.api.url}/docs`);
}

demo(process.argv.includes('--keep')).catch((error: unknown) => {
  process.stderr.write(
    `\nThe demo did not finish: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
});
