/** What a code means to a caller: the HTTP status, the exit code of the `dms` command, and whether to ask again. */
export interface ErrorCodeFacts {
  /** HTTP status of the answer. */
  readonly http: number;
  /** Exit code of the command line: 1 failed, 2 wrong use, 75 try again later (sysexits' EX_TEMPFAIL). */
  readonly exit: 1 | 2 | 75;
  /** One sentence for the documentation. */
  readonly meaning: string;
}

/** The one table of error codes: every error that leaves a process of this project carries one of them. */
export const ERROR_CODES = {
  VALIDATION_FAILED: { http: 400, exit: 2, meaning: 'A field of the request is missing or wrong.' },
  UNAUTHENTICATED: { http: 401, exit: 1, meaning: 'No credentials, or credentials that are not known.' },
  AUTH_EXPIRED: { http: 401, exit: 1, meaning: 'The Keystone token has expired or was revoked.' },
  FORBIDDEN: { http: 403, exit: 1, meaning: 'The caller may not do this, or not with this project.' },
  NOT_FOUND: { http: 404, exit: 1, meaning: 'There is no such thing.' },
  CONFLICT: {
    http: 409,
    exit: 1,
    meaning:
      'The target or the path is in use with another path, source or mode, or the node by another ledger.',
  },
  BUSY: { http: 409, exit: 75, meaning: 'Somebody uses the mount, or too many requests wait for it.' },
  TOO_LARGE: { http: 413, exit: 2, meaning: 'The request is larger than what is accepted.' },
  RATE_LIMITED: { http: 429, exit: 75, meaning: 'Too many requests of this caller.' },
  INTERNAL: { http: 500, exit: 1, meaning: 'A defect of the service; the log has the details.' },
  MOUNT_FAILED: {
    http: 502,
    exit: 1,
    meaning: 'The node could not mount the target, and nothing is mounted.',
  },
  UNMOUNT_FAILED: { http: 502, exit: 1, meaning: 'The node could not unmount the target.' },
  SECRET_UNAVAILABLE: {
    http: 502,
    exit: 1,
    meaning: 'The credentials could not be read from the key manager.',
  },
  NODE_FULL: {
    http: 503,
    exit: 75,
    meaning:
      'The node cannot write, or is short of space, inodes, open files, processes or memory; the message says of which.',
  },
  NODE_UNREACHABLE: {
    http: 503,
    exit: 75,
    meaning: 'No dms-server listens for that host, or it does not answer.',
  },
  CLIENT_UNREACHABLE: {
    http: 503,
    exit: 75,
    meaning: 'dms-client cannot be reached, or is being stopped; nothing was done.',
  },
  OVERLOADED: {
    http: 503,
    exit: 75,
    meaning: 'More requests come than dms-client can carry out in time; nothing was done.',
  },
  WRONG_SERVICE: {
    http: 502,
    exit: 1,
    meaning: 'What answers at the address is no dms-client, or its certificate is not trusted.',
  },
  AUTH_UNAVAILABLE: { http: 503, exit: 75, meaning: 'Credentials cannot be checked at the moment.' },
  LOCK_TIMEOUT: { http: 503, exit: 75, meaning: 'The target was locked by others for too long.' },
  LEDGER_UNAVAILABLE: {
    http: 503,
    exit: 75,
    meaning: 'The database cannot be reached, accepts no writes, or holds no ledger yet.',
  },
  BROKER_UNAVAILABLE: { http: 503, exit: 75, meaning: 'The message broker cannot be reached.' },
  TIMEOUT: {
    http: 504,
    exit: 75,
    meaning: 'No answer in time: the outcome is unknown and is being found out.',
  },
  UNMOUNTED_DIRTY: { http: 200, exit: 1, meaning: 'Unmounted, but the daemon did not flush cleanly.' },
  STALE_EPOCH: {
    http: 500,
    exit: 1,
    meaning: 'A command that was overtaken; settled between the processes.',
  },
} as const satisfies Record<string, ErrorCodeFacts>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** True if `value` is a code of the table (a peer of another version may send one that is not). */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);
}
