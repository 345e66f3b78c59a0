import { DmsError, isSameSource } from '@app/contracts';
import { mayShare } from '../access/sharing';
import { type TargetRow } from '../ledger/target-transaction';
import { sourceOfRequest, type WaitingRequest, wantsReadOnly } from './waiting-request';

/**
 * Why a mount request cannot share the mount that the row describes, or null: another project, path, type, source or
 * mode. What is not known to stand for another project may still go away: then the request mounts with its own secret.
 * A row that is ABSENT fits every request.
 */
export function conflictWith(row: TargetRow, waiting: WaitingRequest): DmsError | null {
  if (row.state === 'ABSENT') return null;
  if (!mayShare(waiting.scope, row.projectId)) {
    return row.state === 'MOUNTED' || row.state === 'BROKEN' ? forbidden() : null;
  }
  const target = waiting.request.backup_target;
  if (waiting.mountPath !== null && row.mountPath !== null && row.mountPath !== waiting.mountPath) {
    return conflict('backup_target.filesystem_export_mount_path', `it is mounted at ${row.mountPath}`);
  }
  if (row.type !== null && row.type !== target.type) {
    return conflict('backup_target.type', `it is mounted as ${row.type}`);
  }
  if (row.source !== null && !isSameSource(target.type, row.source, sourceOfRequest(waiting) ?? '')) {
    return conflict(
      target.type === 'nfs' ? 'backup_target.filesystem_export' : 'backup_target.secret_ref',
      'it is mounted from another source',
    );
  }
  if (row.type !== null && row.readOnly !== wantsReadOnly(waiting)) {
    return conflict('read_only', `it is mounted ${row.readOnly ? 'read-only' : 'read-write'}`);
  }
  return null;
}

/** Another target occupies the path on this host. */
export function pathTaken(mountPath: string): DmsError {
  return conflict('backup_target.filesystem_export_mount_path', `another target is mounted at ${mountPath}`);
}

function forbidden(): DmsError {
  return new DmsError(
    'FORBIDDEN',
    'The target is mounted for another project, with whose secret it can be read',
  );
}

function conflict(field: string, problem: string): DmsError {
  return new DmsError('CONFLICT', `${field}: the target cannot be shared, ${problem}`, {
    details: { fields: [{ field, problem }] },
  });
}
