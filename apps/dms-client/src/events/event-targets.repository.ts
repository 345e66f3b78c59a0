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
   * Returns the events that are about the very mount that the ledger knows (incarnation, epoch and mount id are equal),
   * and say something else of it.
   *
   * @param events of one node, a hundred at most
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async contradicting(events: readonly NodeEvent[]): Promise<NodeEvent[]> {
    if (events.length === 0) return [];
    const known = await queryLedger<{
      targetId: string;
      incarnation: string;
      epoch: unknown;
      mntId: unknown;
      state: MountState;
    }>(
      this.dataSource,
      `SELECT backup_target_id AS targetId, incarnation, epoch, mnt_id AS mntId, state
         FROM target_mounts WHERE host = ? AND backup_target_id IN (?)`,
      [events[0].node, events.map(({ backup_target_id }) => backup_target_id)],
    );
    const rows = new Map(known.map((row) => [row.targetId, row]));
    return events.filter(({ event, backup_target_id, incarnation, epoch, mnt_id }) => {
      const row = rows.get(backup_target_id);
      return (
        row?.incarnation === incarnation &&
        Number(row.epoch) === epoch &&
        row.mntId !== null &&
        Number(row.mntId) === mnt_id &&
        CONTRADICTED[event].includes(row.state)
      );
    });
  }
}
