import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RabbitMq } from '../rig';
import { ROOT } from './programs';

const DOCUMENT = join(ROOT, 'docs/SECURITY.md');
/** Names in the document's example. */
const CLIENT = 'dms-client';
const NODE = 'compute-01';

/** An account of the broker. */
export interface BrokerAccount {
  readonly user: string;
  readonly url: string;
}

/** Makes the account of the clients by the commands that docs/SECURITY.md tells, to the letter. */
export async function makeClientAccount(broker: RabbitMq): Promise<BrokerAccount> {
  await run(broker, CLIENT, CLIENT, '$CLIENT_PASSWORD');
  return account(broker, CLIENT);
}

/** Makes the account of a node likewise, with its name in the place of the example's. */
export async function makeNodeAccount(broker: RabbitMq, host: string): Promise<BrokerAccount> {
  await run(broker, NODE, host, '$NODE_PASSWORD');
  return account(broker, host);
}

async function run(broker: RabbitMq, example: string, user: string, variable: string): Promise<void> {
  const commands = documented().filter((words) => words[1] === example);
  if (commands.length !== 3) throw new Error(`${DOCUMENT} has ${commands.length} commands about ${example}`);
  for (const words of commands) {
    await broker.ctl(words.map((word) => word.replace(variable, passwordOf(user)).replaceAll(example, user)));
  }
}

/** The words of each `rabbitmqctl` line, without the first. */
function documented(): string[][] {
  const lines = readFileSync(DOCUMENT, 'utf8').split('\n');
  return lines
    .filter((line) => line.startsWith('rabbitmqctl '))
    .map((line) => [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].slice(1))
    .map((words) => words.map(([, single, double, bare]) => single ?? double ?? bare));
}

function account(broker: RabbitMq, user: string): BrokerAccount {
  const url = new URL(broker.url);
  url.username = user;
  url.password = passwordOf(user);
  return { user, url: url.href };
}

function passwordOf(user: string): string {
  return `password-of-${user}`;
}
