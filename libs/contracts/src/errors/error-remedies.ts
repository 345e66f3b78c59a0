import { type ErrorCode } from './error-codes';

/** What the caller can do about each error, in one sentence. */
export const ERROR_REMEDIES: Readonly<Record<ErrorCode, string>> = {
  VALIDATION_FAILED: 'Correct the fields that the message names.',
  UNAUTHENTICATED: 'Send credentials that the service knows.',
  AUTH_EXPIRED: 'Get a new Keystone token.',
  FORBIDDEN: 'Ask with a token of the project that the target belongs to, or of an administrator.',
  NOT_FOUND: 'Look at the ids and the host that were asked for.',
  CONFLICT: 'Ask for the target as it is mounted, or wait until nobody holds it.',
  BUSY: 'Wait until those that the message names have ended, and ask again.',
  TOO_LARGE: 'Send less in one request.',
  RATE_LIMITED: 'Ask again after the time in Retry-After.',
  OVERLOADED: 'Ask again after the time in Retry-After; if it lasts, run more dms-clients.',
  INTERNAL: 'Look into the log of dms-client, and report it.',
  MOUNT_FAILED: 'Look at what the message says of the bucket or the export.',
  UNMOUNT_FAILED: 'Look at the node; the service goes on trying.',
  SECRET_UNAVAILABLE: 'Look whether the token may read the secret, and whether the key manager runs.',
  NODE_FULL: 'Give the node what the message says it is short of, and ask again.',
  NODE_UNREACHABLE: 'Look whether dms-server runs on the host, and ask again.',
  CLIENT_UNREACHABLE: 'Look whether dms-client runs at that address, and ask again.',
  WRONG_SERVICE:
    'Set DMS_API_URL to the HTTP facade of a dms-client (port 8090), and for https with an own authority DMS_CA_FILE.',
  AUTH_UNAVAILABLE: 'Look whether Keystone can be reached, and ask again.',
  LOCK_TIMEOUT: 'Ask again; "dms locks" shows who works on the target.',
  LEDGER_UNAVAILABLE:
    'Do what the message says of the database, or look whether it can be reached, and ask again.',
  BROKER_UNAVAILABLE: 'Look whether the message broker can be reached, and ask again.',
  TIMEOUT: 'Ask again: that is safe, and tells what became of it.',
  UNMOUNTED_DIRTY: 'Take what was written last for lost, and write it again.',
  STALE_EPOCH: 'Ask again.',
};
