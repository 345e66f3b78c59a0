import { Injectable } from '@nestjs/common';
import { DmsError, type OperationDto } from '@app/contracts';
import { DataSource } from 'typeorm';
import { TargetLedger } from '../ledger/target-ledger';
import { queryLedger } from '../queries/query-ledger';

/**
 * A mount whose outcome was found out after its answer was lost has ended with success, but its binding is only a
 * claim that runs out. Who reads the operation is told of the success, and from then on relies on it.
 */
@Injectable()
export class LateGrantsService {
  constructor(
    private readonly ledger: TargetLedger,
    private readonly dataSource: DataSource,
  ) {}

  /**
   * Makes the claim of a successful mount held, if it is one still.
   *
   * @throws DmsError TIMEOUT where the mount does not stand at the moment; LEDGER_UNAVAILABLE, LOCK_TIMEOUT
   */
  async grant({ id, action, status, jobid, host, backup_target_id }: OperationDto): Promise<void> {
    if (action !== 'mount' || status !== 'success' || jobid === null) return;
    if (!(await this.#isClaimed(id, jobid, host, backup_target_id))) return;
    await this.ledger.transaction({ host, targetId: backup_target_id }, async ({ row, bindings }) => {
      const binding = (await bindings.ofJobs([jobid])).get(jobid);
      if (binding?.state !== 'claimed' || binding.operationId !== id) return;
      if (row.state !== 'MOUNTED') {
        throw new DmsError('TIMEOUT', 'Whether the target is still mounted is being found out; ask again', {
          operationId: id,
        });
      }
      await bindings.grant([jobid]);
    });
  }

  /** Looked at without the lock first: most operations were answered long ago. */
  async #isClaimed(id: string, jobid: number, host: string, targetId: string): Promise<boolean> {
    const rows = await queryLedger(
      this.dataSource,
      `SELECT id FROM backup_target_mount_ledger WHERE jobid = ? AND backup_target_id = ? AND host = ?
         AND operation_id = ? AND state = 'claimed' AND NOT COALESCE(mounted, FALSE) AND NOT COALESCE(deleted, FALSE)`,
      [jobid, targetId, host, id],
    );
    return rows.length > 0;
  }
}
