import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Stage } from '../docs/example-names';
import { type RabbitMq } from '../rig';
import { PROGRAMS } from './programs';

/** Writes the programs that documented commands call and that are elsewhere, or of another service, in the tests. */
export async function writeStandIns(
  directory: string,
  { node, client }: Stage,
  broker: RabbitMq,
): Promise<void> {
  const { command, environment } = broker.control;
  const settings = Object.entries(environment).map(([name, value]) => `${name}='${value}'`);
  const programs = {
    dms: `exec '${process.execPath}' '${PROGRAMS.cli}' "$@"`,
    'dms-client': `exec '${process.execPath}' '${PROGRAMS.client}' "$@"`,
    'dms-server': `exec '${process.execPath}' '${PROGRAMS.server}' "$@"`,
    rabbitmqctl: `exec env -i ${settings.join(' ')} ${command.join(' ')} "$@"`,
    // Without systemd the programs write their lines into files.
    journalctl: `case "$*" in
  *dms-client*) exec cat '${client.logFile}' ;;
  *dms-server*) exec cat '${node.logFile}' ;;
esac
exit 1`,
  };
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(directory, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(directory, name), 0o755);
  }
}
