import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Fleet } from '../fleet/fleet';
import { countBy, type Finding, type OperationRow } from './checks';
import { type Harm, type HarmLog } from './harm-log';
import { type Job, type Lie } from './job';
import { type Journal, lineOf, seconds } from './journal';
import { type Asked } from './orchestrator';

/** What came of a run. */
export interface ChaosResult {
  readonly seed: number;
  readonly minutes: number;
  readonly jobs: number;
  readonly asked: readonly Asked[];
  readonly harms: readonly Harm[];
  readonly lies: readonly Lie[];
  readonly leaks: readonly Finding[];
  readonly openOperations: readonly Finding[];
  /** Operations that contradict an answer, files that are missing, bindings of the refused, programs not ready. */
  readonly contradictions: readonly Finding[];
  readonly filesChecked: number;
  /** Unmounts that were answered UNMOUNTED_DIRTY: what was written is gone or may be, or the mount had broken. */
  readonly dirtyAnswers: number;
  readonly crashes: number;
  /** Milliseconds from when the service was whole until a break was told. */
  readonly noticed: readonly number[];
  /** Milliseconds from the last job's end until nothing was left. */
  readonly healingMs: number;
  /** Where the logs were kept; null where nothing was wrong. */
  readonly logs: string | null;
}

/** Everything that is wrong, a line each: lies, leaks, operations that did not end, contradictions. */
export function problemsOf({ lies, leaks, openOperations, contradictions }: ChaosResult): string[] {
  return [
    ...lies.map(({ jobid, what }) => `lie to job ${jobid}: ${what}`),
    ...[...leaks, ...openOperations, ...contradictions].map(({ what }) => what),
  ];
}

/** Whether no lie was told, nothing leaked, and every operation ended. */
export function isGood(result: ChaosResult): boolean {
  return problemsOf(result).length === 0;
}

/** The table at the end. */
export function tableOf(result: ChaosResult): string {
  const rows: [string, string | number][] = [
    ['seed, minutes, jobs', `${result.seed}, ${result.minutes}, ${result.jobs}`],
    ...counted('request', result.asked, resultOf),
    ...counted('harm', result.harms, ({ kind }) => kind),
    ['programs that ended by themselves', result.crashes],
    ['files read back from the buckets', result.filesChecked],
    ['answers that tell a loss', result.dirtyAnswers],
    ['breaks told', result.noticed.length],
    ['lies', result.lies.length],
    ['leaks', result.leaks.length],
    ['non-terminal operations', result.openOperations.length],
    ['other contradictions', result.contradictions.length],
    ['longest until a break was told, s', seconds(Math.max(0, ...result.noticed))],
    ['healing at the end, s', seconds(result.healingMs)],
    ['longest healing, s', seconds(Math.max(result.healingMs, ...result.noticed))],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}

function counted<T>(title: string, items: readonly T[], name: (item: T) => string): [string, number][] {
  return [...countBy(items, name)].sort().map(([key, count]) => [`${title}: ${key}`, count]);
}

function resultOf({ action, status, body }: Asked): string {
  return [action, status, body.error_code ?? ''].join(' ').trimEnd();
}

/** What the evidence is drawn from. */
export interface EvidenceSources {
  readonly journal: Journal;
  readonly harms: HarmLog;
  readonly jobs: readonly Job[];
  readonly operations: readonly OperationRow[];
}

const AROUND_MS = 30_000;
const MOST_PIECES = 12;

/** Each thing that is wrong, with what its job and the killer did around it and the operations of it. */
export function evidenceOf(
  result: Omit<ChaosResult, 'logs'>,
  { journal, jobs, operations }: EvidenceSources,
): string {
  const pieces = result.lies.map(({ jobid, at, what }) => {
    const plan = jobs.find((job) => job.plan.jobid === jobid)?.plan;
    const rows = operations.filter(
      (row) => row.backup_target_id === plan?.place.targetId && row.host === plan?.place.host,
    );
    const near = rows.filter(
      (row) => Math.abs(row.created_at.getTime() - Date.parse(journal.timeOfDay(at))) < AROUND_MS,
    );
    return [
      `LIE to job ${jobid} at ${seconds(at)} s (${journal.timeOfDay(at)}): ${what}`,
      ...journal.of(`job ${jobid}`).map(lineOf),
      ...journal.during('killer', at - AROUND_MS, at + AROUND_MS).map(lineOf),
      ...near.map(operationLine),
    ].join('\n');
  });
  const findings = [...result.leaks, ...result.openOperations, ...result.contradictions].map(
    ({ what, targetId }) => {
      const rows = operations.filter((row) => row.backup_target_id === targetId).slice(-12);
      return [what, ...rows.map(operationLine)].join('\n');
    },
  );
  const all = [...pieces, ...findings];
  const left = all.length > MOST_PIECES ? [`… and ${all.length - MOST_PIECES} more in the kept logs`] : [];
  return [...all.slice(0, MOST_PIECES), ...left].join('\n\n');
}

function operationLine(row: OperationRow): string {
  const {
    id,
    action,
    status,
    error_code: code,
    error_msg: message,
    jobid,
    epoch,
    created_at,
    completed_at,
  } = row;
  const times = `${created_at.toISOString()} to ${completed_at?.toISOString() ?? 'now'}`;
  const end = [status, code ?? '', message ?? ''].join(' ').trimEnd();
  return `    ${times}  ${id} ${action} of job ${jobid ?? 'none'}, epoch ${epoch ?? 'none'}: ${end}`;
}

/** Copies the programs' logs, and writes the journal, the operations and the evidence beside them. */
export async function keepLogs(
  directory: string,
  fleet: Fleet,
  { journal, operations }: EvidenceSources,
  evidence: string,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const { logFile } of fleet.clients) await copyFile(logFile, join(directory, lastPart(logFile)));
  for (const [index, { logFile }] of fleet.nodes.entries())
    await copyFile(logFile, join(directory, `dms-server-${index + 1}.log`));
  const lines = journal.entries.map((entry) => `${journal.timeOfDay(entry.at)} ${lineOf(entry)}`);
  await writeFile(join(directory, 'journal.log'), `${lines.join('\n')}\n`);
  await writeFile(join(directory, 'operations.log'), `${operations.map(operationLine).join('\n')}\n`);
  await writeFile(join(directory, 'evidence.txt'), `${evidence}\n`);
}

/** The ends of the logs in a directory, for a person. */
export async function logTails(directory: string, lines: number): Promise<string> {
  const tails: string[] = [];
  for (const name of (await readdir(directory)).filter((file) => file.startsWith('dms-'))) {
    const text = await readFile(join(directory, name), 'utf8');
    tails.push(`${name}:\n${text.trimEnd().split('\n').slice(-lines).join('\n')}`);
  }
  return tails.join('\n\n');
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
