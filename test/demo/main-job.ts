import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Answer } from '../fleet/api';
import { type Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { say, step } from './say';

const TEXT = 'The first line of a backup.\n';

/** Mounts a bucket for a job, shares it with a second one, and lets both go. Throws where something is not as it should be. */
export async function runMainJob(fleet: Fleet): Promise<void> {
  step('Making a bucket and storing its credentials as a Barbican secret');
  const target = await fleet.targets.s3('demo-backups');
  say(`bucket ${target.bucket}, secret ${target.secretRef}`);
  const send = async (action: 'mount' | 'unmount', jobid: number): Promise<Answer> => {
    const answer = await fleet.api.post(
      `/api/v1/${action}`,
      await fleet.targets.request(fleet.node.host, jobid, target),
    );
    say(
      `POST /api/v1/${action} for job ${jobid}: ${answer.status} ${String(answer.body.success_msg ?? answer.body.error_msg)}`,
    );
    if (answer.status !== 200) throw new Error(`the ${action} was refused`);
    return answer;
  };

  step('Job 1001 asks for the bucket on the node');
  const path = String((await send('mount', 1001)).body.mount_path);
  showMounts(fleet, 1);

  step('Job 1001 writes a file through the mount; another S3 client reads it from the endpoint');
  await writeFile(join(path, 'backup.txt'), TEXT);
  const stored = (await fleet.targets.store.getObject(target.bucket, 'backup.txt')).toString();
  say(`through the mount: ${JSON.stringify(await readFile(join(path, 'backup.txt'), 'utf8'))}`);
  say(`from the endpoint: ${JSON.stringify(stored)}`);
  if (stored !== TEXT) throw new Error('the endpoint has something else');

  step('Job 1002 joins: the mount is shared');
  const joined = await send('mount', 1002);
  say(`reused_existing: ${String(joined.body.reused_existing)}`);
  await showLedger(fleet);

  step('Job 1001 unmounts: job 1002 keeps its mount');
  await send('unmount', 1001);
  showMounts(fleet, 1);

  step('Job 1002 unmounts: the mount goes with the last job');
  await send('unmount', 1002);
  showMounts(fleet, 0);
  await showLedger(fleet);
}

async function showLedger(fleet: Fleet): Promise<void> {
  const rows = await fleet.query<{
    jobid: number;
    host: string;
    backup_target_id: string;
    state: string;
    mounted: number;
  }>('SELECT jobid, host, backup_target_id, state, mounted FROM backup_target_mount_ledger ORDER BY jobid');
  say('the ledger:');
  for (const row of rows) {
    say(`  job ${row.jobid}  ${row.host}  ${row.backup_target_id}  ${row.state}  mounted=${row.mounted}`);
  }
}

function showMounts(fleet: Fleet, expected: number): void {
  const mounts = mountsBelow(fleet.node.base);
  say(`the kernel's mount table below ${fleet.node.base}: ${mounts.length === 0 ? 'nothing' : ''}`);
  for (const line of mounts) say(`  ${line}`);
  if (mounts.length !== expected) throw new Error(`${expected} mounts were expected`);
}
