import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { filesOf, processesNaming } from './daemons';
import { type HarmLog, LEDGER_HARMS } from './harm-log';
import { type Job, type WrittenFile } from './job';
import { type Journal } from './journal';
import { type Asked } from './orchestrator';

/** Something that is there and should not be, or the other way round; with the target that it concerns, if one. */
export interface Finding {
  readonly what: string;
  readonly targetId: string | null;
}

/** An operation as the ledger has it. */
export interface OperationRow {
  readonly id: string;
  readonly action: string;
  readonly status: string;
  readonly error_code: string | null;
  readonly error_msg: string | null;
  readonly jobid: number | null;
  readonly backup_target_id: string;
  readonly host: string;
  readonly epoch: number | null;
  readonly created_at: Date;
  readonly completed_at: Date | null;
}

const POLL_MS = 500;
/** Others may have had the mount, and written to it, so long before a job joined them. */
const BEFORE_MOUNT_MS = 60_000;
/** Longer than a job asks again and again for the same mount. */
const BEFORE_REPEAT_MS = 60_000;

/** Waits until `look` finds nothing more, and returns what it found at last, with how long that took. */
export async function healed(
  look: () => Promise<Finding[]>,
  journal: Journal,
  timeoutMs: number,
  interrupted: AbortSignal,
): Promise<{ findings: Finding[]; tookMs: number }> {
  const began = journal.now();
  for (;;) {
    const findings = await look();
    const tookMs = journal.now() - began;
    if (findings.length === 0 || tookMs > timeoutMs || interrupted.aborted) return { findings, tookMs };
    await sleep(POLL_MS);
  }
}

/** I2: what is left of mounts that nobody holds. */
export async function leaks(fleet: Fleet): Promise<Finding[]> {
  const found: Finding[] = [];
  const add = (what: string, targetId: string | null = null): number => found.push({ what, targetId });
  for (const { base, pidDirectory, host } of fleet.nodes) {
    for (const line of mountsBelow(base)) add(`mounted on ${host}: ${line}`);
    for (const name of filesOf(pidDirectory)) add(`PID file on ${host}: ${name}`);
    for (const name of filesOf(base)) add(`in the base of ${host}: ${name}`, name);
  }
  for (const { pid, command } of processesNaming(fleet.directory)) add(`process ${pid}: ${command}`);
  const mounts = await fleet.query<{ host: string; id: string; state: string; error: string | null }>(
    `SELECT host, backup_target_id AS id, state, error_code AS error FROM target_mounts WHERE state <> 'ABSENT'`,
  );
  for (const { host, id, state, error } of mounts)
    add(`target_mounts: ${id} on ${host} is ${state} (${error ?? 'no error'})`, id);
  const bindings = await fleet.query<{ host: string; id: string; jobid: number; state: string }>(
    `SELECT host, backup_target_id AS id, jobid, state FROM backup_target_mount_ledger
     WHERE NOT COALESCE(deleted, FALSE) AND (mounted OR state IN ('claimed', 'held'))`,
  );
  for (const { host, id, jobid, state } of bindings)
    add(`binding of job ${jobid} to ${id} on ${host}: ${state}`, id);
  return found;
}

/** I3, the part that takes its time: operations that have not ended. */
export async function openOperations(fleet: Fleet): Promise<Finding[]> {
  const rows = await operationRows(fleet, `WHERE status NOT IN ('success', 'error')`);
  return rows.map((row) => ({
    what: `operation ${row.id} (${row.action} of job ${row.jobid ?? 'none'}) is ${row.status}`,
    targetId: row.backup_target_id,
  }));
}

/** @param condition a WHERE clause, with a question mark for each value */
export async function operationRows(
  fleet: Fleet,
  condition = '',
  values: readonly (string | number)[] = [],
): Promise<OperationRow[]> {
  return fleet.query<OperationRow>(
    `SELECT id, action, status, error_code, error_msg, jobid, backup_target_id, host, epoch, created_at, completed_at
     FROM mount_operations ${condition} ORDER BY created_at, id`,
    values,
  );
}

/** I3, once all have ended: answers whose operation is missing or says otherwise, and operations that nobody asked for. */
export function wrongOperations(
  asked: readonly Asked[],
  rows: readonly OperationRow[],
  harms: HarmLog,
): Finding[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const found = asked.flatMap((one) => {
    const problem = problemOf(one, one.body.operation_id, byId, harms, asked);
    if (problem === null) return [];
    const what = `job ${one.jobid} was answered ${one.status} to its ${one.action}, and ${problem}`;
    return [{ what, targetId: one.place.targetId }];
  });
  const sent = countBy(
    asked.filter(({ status }) => status !== 'refused'),
    ({ jobid, action }) => `${action} of job ${jobid}`,
  );
  const requested = rows.filter(({ action }) => action === 'mount' || action === 'unmount');
  const recorded = countBy(requested, ({ jobid, action }) => `${action} of job ${jobid}`);
  for (const [name, count] of recorded) {
    if (count > (sent.get(name) ?? 0))
      found.push({
        what: `${count} operations for ${sent.get(name) ?? 0} requests: ${name}`,
        targetId: null,
      });
  }
  return found;
}

function problemOf(
  { status, action, body, sentAt, answeredAt, place, jobid }: Asked,
  id: string | undefined,
  byId: ReadonlyMap<string, OperationRow>,
  harms: HarmLog,
  all: readonly Asked[],
): string | null {
  if (typeof status !== 'number') return null;
  const row = id === undefined ? undefined : byId.get(id);
  if (row === undefined) {
    const ledgerHarmed = harms.wasAtWork(LEDGER_HARMS, sentAt - 5_000, answeredAt);
    // A dms-client that stops refuses a request before it begins: there is nothing to record.
    const isRefused = body.error_code === 'LEDGER_UNAVAILABLE' || body.error_code === 'CLIENT_UNREACHABLE';
    // A dms-client that stands still in a transaction keeps the row: others cannot write anything of its target.
    const isKept =
      body.error_code === 'LOCK_TIMEOUT' && harms.wasAtWork(['client-pause'], sentAt - 5_000, answeredAt);
    const excused = isRefused || isKept || (status !== 200 && ledgerHarmed);
    return excused ? null : `there is no operation ${id ?? '(none was named)'}`;
  }
  if (row.jobid !== jobid) return `${row.id} is the operation of job ${row.jobid ?? 'none'}`;
  if (status === 200 && row.status !== 'success')
    return `its operation ${row.id} is ${row.status} ${row.error_code ?? ''}`;
  // What was refused is not begun later; a time-out leaves it open.
  const refused = action === 'mount' && status !== 200 && status !== 504;
  if (!refused || row.status === 'error') return null;
  const ended = body.error_code === 'CONFLICT' && mayHaveEnded({ place, jobid, sentAt }, harms, all);
  return ended ? null : `its operation ${row.id} is ${row.status}`;
}

/**
 * Whether a hold that was granted before may have ended: by an unmount of the job, or because its mount broke. A
 * conflict over an idempotency key rightly names the operation that granted it.
 */
function mayHaveEnded(
  { place, jobid, sentAt }: Pick<Asked, 'place' | 'jobid' | 'sentAt'>,
  harms: HarmLog,
  all: readonly Asked[],
): boolean {
  const asked = all.some((one) => one.jobid === jobid && one.action === 'unmount' && one.sentAt < sentAt);
  return asked || harms.mayHaveBroken(place, sentAt - BEFORE_REPEAT_MS);
}

/** Jobs that were refused only, asked for no unmount, and have a binding nevertheless. */
export async function bindingsOfRefused(fleet: Fleet, jobs: readonly Job[]): Promise<Finding[]> {
  const ids = jobs.filter(({ heldNothing }) => heldNothing).map(({ plan }) => plan.jobid);
  if (ids.length === 0) return [];
  const rows = await fleet.query<{ jobid: number; id: string; state: string }>(
    `SELECT jobid, backup_target_id AS id, state FROM backup_target_mount_ledger
     WHERE (mounted OR state IN ('claimed', 'held')) AND jobid IN (${ids.map(() => '?').join(', ')})`,
    ids,
  );
  return rows.map(({ jobid, id, state }) => ({
    what: `job ${jobid} was refused only, and its binding is ${state}`,
    targetId: id,
  }));
}

/**
 * Answers that tell a loss which there was none of: nothing broke the mount, and all that was written to it about then is in
 * the bucket as it was written.
 */
export async function falseAlarms(
  fleet: Fleet,
  targets: readonly S3Target[],
  jobs: readonly Job[],
  harms: HarmLog,
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { jobid, place, mountedAt, at, message } of jobs.flatMap(({ dirtyAnswers }) => dirtyAnswers)) {
    if (harms.mayHaveBroken(place, mountedAt - BEFORE_MOUNT_MS)) continue;
    const files = jobs
      .filter(({ plan }) => plan.place.host === place.host && plan.place.targetId === place.targetId)
      .flatMap(({ tried }) => tried)
      .filter((file) => file.at >= mountedAt - BEFORE_MOUNT_MS && file.at <= at);
    if ((await missingFiles(fleet, targets, files)).length > 0) continue;
    const what = `job ${jobid} was told a loss, and all of ${files.length} files are in the bucket: ${message}`;
    found.push({ what, targetId: place.targetId });
  }
  return found;
}

/** Files that were acknowledged, whose mount was unmounted cleanly, and that are not in the bucket. */
export async function missingFiles(
  fleet: Fleet,
  targets: readonly S3Target[],
  files: readonly WrittenFile[],
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { jobid, targetId, name, text } of files) {
    const bucket = targets.find(({ id }) => id === targetId)?.bucket ?? targetId;
    const stored = await fleet.targets.store.getObject(bucket, name).then(String, String);
    if (stored !== text)
      found.push({ what: `${name} of job ${jobid} is not in the bucket: ${stored.slice(0, 80)}`, targetId });
  }
  return found;
}

export function countBy<T>(items: Iterable<T>, name: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(name(item), (counts.get(name(item)) ?? 0) + 1);
  return counts;
}
