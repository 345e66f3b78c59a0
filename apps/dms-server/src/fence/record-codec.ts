import { isErrorCode, TARGET_TYPES } from '@app/contracts';
import { type LegacyHolder, type MountedAs, type RecordedOutcome, type TargetRecord } from './target-record';

type Fields = Record<string, unknown>;

/** Earlier versions read `legacyHolder`, should the program be taken back. */
export function encodeRecord(record: TargetRecord): string {
  return `${JSON.stringify({ ...record, legacyHolder: record.legacyHolders.length > 0 })}\n`;
}

/**
 * The record in a file's text.
 *
 * @throws Error if it is torn or of another shape: then the memory as a whole cannot be trusted
 */
export function decodeRecord(text: string): TargetRecord {
  const fields = JSON.parse(text) as unknown;
  if (!isFields(fields)) throw new Error('is not an object');
  const { targetId, epoch, operationId, outcome, mountedAs, epochHolder } = fields;
  // Earlier versions did not write it.
  const { flushProblem = null } = fields;
  const legacyHolders = legacyHoldersIn(fields);
  if (
    typeof targetId !== 'string' ||
    !Number.isSafeInteger(epoch) ||
    !isTextOrNull(operationId) ||
    !(outcome === null || isOutcome(outcome)) ||
    !(mountedAs === null || isMountedAs(mountedAs)) ||
    legacyHolders === null ||
    typeof epochHolder !== 'boolean' ||
    !isTextOrNull(flushProblem)
  ) {
    throw new Error('has not the fields of a target record');
  }
  return {
    ...{ targetId, epoch: epoch as number, operationId, outcome, mountedAs },
    ...{ legacyHolders, epochHolder, flushProblem },
  };
}

/** Earlier versions kept only whether there is one. Null where neither is there. */
function legacyHoldersIn({ legacyHolders, legacyHolder }: Fields): LegacyHolder[] | null {
  if (legacyHolders === undefined && typeof legacyHolder === 'boolean')
    return legacyHolder ? [{ id: 'of an earlier version', jobid: null, since: 0 }] : [];
  return Array.isArray(legacyHolders) && legacyHolders.every(isLegacyHolder) ? legacyHolders : null;
}

function isLegacyHolder(value: unknown): value is LegacyHolder {
  return (
    isFields(value) &&
    typeof value.id === 'string' &&
    (value.jobid === null || Number.isSafeInteger(value.jobid)) &&
    Number.isSafeInteger(value.since)
  );
}

function isOutcome(value: unknown): value is RecordedOutcome {
  return (
    isFields(value) &&
    (value.status === 'success' || value.status === 'error') &&
    (value.error_code === null || isErrorCode(value.error_code)) &&
    isTextOrNull(value.error_msg) &&
    isTextOrNull(value.success_msg)
  );
}

function isMountedAs(value: unknown): value is MountedAs {
  return (
    isFields(value) &&
    TARGET_TYPES.some((type) => type === value.type) &&
    typeof value.source === 'string' &&
    typeof value.mountPath === 'string' &&
    typeof value.readOnly === 'boolean' &&
    isIdOrNull(value.mntId) &&
    isTextOrNull(value.device) &&
    isTextOrNull(value.fstype) &&
    (value.shownSource === undefined || isTextOrNull(value.shownSource)) &&
    (value.firstMntId === undefined || isIdOrNull(value.firstMntId))
  );
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIdOrNull(value: unknown): value is number | null {
  return value === null || Number.isInteger(value);
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
