import { Injectable } from '@nestjs/common';
import { type MountState, type NodeEvent, type NodeEventKind } from '@app/contracts';
import { DataSource } from 'typeorm';
import { queryLedger } from '../queries/query-ledger';

/** States of a row that an event of the kind contradicts; in all others somebody asks the node before long. */
const CONTRADICTED: Readonly<Record<NodeEventKind, readonly MountState[]>> = {
  vanished: ['MOUNTED', 'BROKEN'],
  unmounted: ['MOUNTED', 'BROKEN'],
  broken: ['MOUNTED'],
  mounted: ['BROKEN', 'UNCERTAIN', 'STUCK'],
};

/** Compares events of nodes with the ledger. */
@Injectable()
export class EventTargetsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * True where the event is about the very mount that the ledger knows (incarnation, epoch and mount id are equal), and
   * says something else of it.
   *
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async isContradictedBy({
    event,
    node,
    backup_target_id,
    incarnation,
    epoch,
    mnt_id,
  }: NodeEvent): Promise<boolean> {
    const rows = await queryLedger(
      this.dataSource,
      `SELECT 1 FROM target_mounts WHERE host = ? AND backup_target_id = ?
         AND incarnation = ? AND epoch = ? AND mnt_id = ? AND state IN (?)`,
      [node, backup_target_id, incarnation, epoch, mnt_id, CONTRADICTED[event]],
    );
    return rows.length > 0;
  }
}
