import { DmsError } from '@app/contracts';
import { QueryFailedError } from 'typeorm';
import { TakeoverError } from '../../../../migrations/takeover/takeover-problems';
import { failureClass, ledgerError } from './ledger-errors';

const DENIED = ['ER_TABLEACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR', 'ER_COLUMNACCESS_DENIED_ERROR'];

/** What a migration that failed means to who started it. Nothing that it says is secret: it works on no request. */
export function migrationError(error: unknown): DmsError {
  if (error instanceof TakeoverError) {
    return new DmsError(
      'CONFLICT',
      `The tables cannot be taken over; nothing was changed: ${error.message}`,
      {
        cause: error,
      },
    );
  }
  if (!(error instanceof QueryFailedError)) return ledgerError(error);
  const { code, sqlMessage } = error.driverError as { code?: string; sqlMessage?: string };
  if (DENIED.includes(code ?? '')) {
    const message = `The account of DMS_DB_URL may not change tables (${sqlMessage}): let it, with GRANT ALTER, CREATE, INDEX, SELECT, INSERT, UPDATE, DELETE, or migrate with another account and set DMS_DB_MIGRATE=false here`;
    return new DmsError('FORBIDDEN', message, { cause: error });
  }
  if (failureClass(error) === 'locked') {
    const message =
      'Other programs had the table backup_target_mount_ledger open all the time, so it was not changed. Migrate again when the Python clients are stopped for a moment, or look for a long transaction in information_schema.INNODB_TRX';
    return new DmsError('LOCK_TIMEOUT', message, { cause: error });
  }
  if (failureClass(error) === 'defect') {
    return new DmsError('INTERNAL', `The database refused a statement of the migration: ${sqlMessage}`, {
      cause: error,
    });
  }
  return ledgerError(error);
}
