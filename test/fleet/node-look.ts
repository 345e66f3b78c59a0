import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { processesWithVariable } from '../rig';
import { type WireClient } from './wire-client';

/**
 * What a node says that it sees of a target (`absent`, `mounted`, …): `unknown` while a command of it is under way.
 * A probe changes nothing and waits for nothing.
 */
export async function stateSeenBy(node: WireClient, targetId: string): Promise<string> {
  const dms = { protocol: 1, incarnation: null, epoch: 0, operation_id: randomUUID(), deadline_ms: 10_000 };
  const { body } = await node.call({ action: 'probe', backup_target: { id: targetId }, dms });
  return (body.mount as { state?: string } | null)?.state ?? String(body.error_msg);
}

/** The s3fs processes of a bucket. */
export function s3fsProcesses(bucket: string): number[] {
  return processesWithVariable(`vault_s3_bucket=${bucket}`).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 's3fs';
    } catch {
      return false; // it has ended meanwhile
    }
  });
}
