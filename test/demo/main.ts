import { constants } from 'node:os';
import { isSameSignal, Rig } from '../rig';
import { Fleet } from '../fleet/fleet';
import { tellHowToTry } from './how-to-try';
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
      await tellHowToTry(fleet, (await starting).addresses);
      await interrupted.catch(() => undefined);
    }
  } finally {
    step('Cleaning up: ending every program, removing every directory');
    await fleet?.stop();
    await rig?.stop();
    say('nothing is left');
  }
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
