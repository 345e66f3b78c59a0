import { parseArgs } from 'node:util';
import { runHostile } from '../hostile/hostile';
import { compareWriters } from '../races/races';
import { type HarmKind, harmKinds } from './harm-log';
import { isGood, tableOf } from './report';
import { runChaos } from './run-chaos';

/** The command line asks for what there is not. */
class UsageError extends Error {}

const USAGE = `npm run chaos -- [--minutes M] [--seed S] [--clients N] [--nodes N] [--pool N] [--cluster] [--harms KIND,…] [--verbose]
npm run chaos -- --races PAIRS [--lag MS] [--parallel N] [--seed S]
npm run chaos -- --hostile [--minutes M]
--races: two jobs race for one target, each through a dms-client with a database node of its own
--hostile: a job mounts, renews and unmounts while strangers send whatever takes the service from others
--cluster: the database and the broker are clusters of three nodes, which are harmed, too
kinds of harm: ${harmKinds(false).join(', ')}
with --cluster also: ${harmKinds(true).slice(harmKinds(false).length).join(', ')}`;

const OPTIONS = {
  minutes: { type: 'string', default: '2' },
  seed: { type: 'string', default: String(Date.now() % 100_000) },
  clients: { type: 'string', default: '2' },
  nodes: { type: 'string', default: '2' },
  pool: { type: 'string', default: '8' },
  cluster: { type: 'boolean', default: false },
  harms: { type: 'string' },
  races: { type: 'string' },
  lag: { type: 'string', default: '15' },
  parallel: { type: 'string', default: '3' },
  hostile: { type: 'boolean', default: false },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Enough to see what is wrong. */
const MOST_LINES = 40;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return say(USAGE);
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interruption.abort(new Error(`ended by ${signal}`)));
  }
  const seed = number('seed', values.seed);
  if (values.races !== undefined) {
    const broken = await compareWriters({
      seed,
      pairs: number('races', values.races),
      lagMs: number('lag', values.lag),
      parallel: number('parallel', values.parallel),
      say,
      interrupted: interruption.signal,
    });
    return conclude(broken, 'no lies, no leaks, no stacked mounts');
  }
  if (values.hostile) {
    const noticed = await runHostile({
      minutes: number('minutes', values.minutes),
      say,
      interrupted: interruption.signal,
    });
    return conclude(noticed, 'the job noticed nothing but time');
  }
  say(`chaos with --seed ${seed}`);
  const result = await runChaos({
    seed,
    minutes: number('minutes', values.minutes),
    clients: number('clients', values.clients),
    nodes: number('nodes', values.nodes),
    pool: number('pool', values.pool),
    cluster: values.cluster,
    harms: values.harms?.split(',').map((text) => harmKind(text, values.cluster)),
    verbose: values.verbose,
    say,
    interrupted: interruption.signal,
  });
  const verdict = isGood(result) ? 'no lies, no leaks, no open operations' : 'FAILED';
  say(`\n${tableOf(result)}\n\n${verdict}`);
  process.exitCode = isGood(result) ? 0 : 1;
}

/** Says what is wrong, or `good`, and ends with that status. */
function conclude(problems: readonly string[], good: string): void {
  for (const problem of problems.slice(0, MOST_LINES)) say(problem);
  say(problems.length === 0 ? good : `FAILED: ${problems.length}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new UsageError(`--${name} wants a number`);
  return value;
}

function harmKind(text: string, onClusters: boolean): HarmKind {
  const kind = harmKinds(onClusters).find((known) => known === text);
  if (kind === undefined) throw new UsageError(`--harms does not know '${text}'`);
  return kind;
}

function isMisuse(error: unknown): error is Error {
  const { code } = error as { code?: unknown };
  return error instanceof UsageError || (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS'));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().catch((error: unknown) => {
  if (isMisuse(error)) {
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  process.stderr.write(`Chaos did not finish: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
