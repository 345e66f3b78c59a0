import { Injectable } from '@nestjs/common';
import { type NodeEvent } from '@app/contracts';
import { keyText, type TargetKey } from '../ledger/target-key';

/** Of more targets, the reports that came first are forgotten; the hellos of their nodes repeat them. */
const MAX_REPORTS = 10_000;

/**
 * What nodes reported of mounts that vanished or broke. A report is kept because the ledger may not know the mount yet:
 * its row may be locked, or the database away. It counts only for the mount with the epoch and the id that it names, so
 * a fence, which takes another epoch, makes it void.
 */
@Injectable()
export class MountReports {
  readonly #reports = new Map<string, NodeEvent>();

  /** Takes an event of a node; one that says that a mount is well takes the report back. */
  note(event: NodeEvent): void {
    const text = keyText({ host: event.node, targetId: event.backup_target_id });
    this.#reports.delete(text);
    if (event.event !== 'vanished' && event.event !== 'broken') return;
    this.#reports.set(text, event);
    const [oldest] = this.#reports.keys();
    if (oldest !== undefined && this.#reports.size > MAX_REPORTS) this.#reports.delete(oldest);
  }

  /**
   * Returns the report that a target's mount vanished or broke; null where there is none.
   *
   * @param mntId of the mount that the ledger knows; without it, the epoch alone is compared
   */
  of(key: TargetKey, epoch: number | null, mntId?: number | null): NodeEvent | null {
    const report = this.#reports.get(keyText(key));
    if (report === undefined || report.epoch !== epoch) return null;
    return mntId === undefined || mntId === report.mnt_id ? report : null;
  }
}
