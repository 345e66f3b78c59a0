import { FORGET_LEDGER_PATH } from '../control/control.protocol';
import { loadNodeDirectories } from '../settings/server.settings';
import { ask } from './ask';
import { type Options } from './options';

export const FORGET_LEDGER_HELP = `Usage: dms-server forget-ledger [--format table|json]

For a database that was made anew while mounts of the old one live. As long as a node has mounts of one ledger (the
database of the dms-clients) it refuses the commands of any other. This has the running server forget which ledger that
is: the first dms-client that sends a command from now on takes the node over, whichever database it has. Its ledger
knows none of the mounts: it TAKES THOSE AWAY THAT NOBODY USES, also from jobs that were told that they hold them.

Stop the dms-clients of the old database first, or they may be the first to come. It is not needed after a restore from
a backup, which is the same ledger, nor where nothing is mounted. Nothing is unmounted by this command itself.
`;

export async function forgetLedger(options: Options): Promise<number> {
  return await ask(loadNodeDirectories(), FORGET_LEDGER_PATH, options);
}
