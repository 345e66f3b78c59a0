import { Injectable } from '@nestjs/common';
import { type NodeEvent } from '@app/contracts';
import { FairMap } from '@app/platform';
import { type TargetKey } from '../ledger/target-key';

/** Of more targets, the node that has most reports loses its oldest; the hellos of that node repeat it. */
const MAX_REPORTS = 10_000;

/**
 * What nodes reported of mounts that vanished or broke. A report is kept because the ledger may not know the mount yet:
 * its row may be locked, or the database away. It counts only for the mount with the epoch and the id that it names, so
 * a fence, which takes another epoch, makes it void.
 */
@Injectable()
export class MountReports {
  readonly #reports = new FairMap<NodeEvent>(MAX_REPORTS);

  /** Takes an event of a node; one that says that a mount is well takes the report back. */
  note(event: NodeEvent): void {
    const { node, backup_target_id: targetId } = event;
    if (event.event === 'vanished' || event.event === 'broken') this.#reports.set(node, targetId, event);
    else this.#reports.delete(node, targetId);
  }

  /**
   * Returns the report that a target's mount vanished or broke; null where there is none.
   *
   * @param mntId of the mount that the ledger knows; without it, the epoch alone is compared
   */
  of(key: TargetKey, epoch: number | null, mntId?: number | null): NodeEvent | null {
    const report = this.#reports.of(key.host).get(key.targetId);
    if (report === undefined || report.epoch !== epoch) return null;
    return mntId === undefined || mntId === report.mnt_id ? report : null;
  }
}
