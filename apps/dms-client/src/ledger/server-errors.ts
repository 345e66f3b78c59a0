/**
 * What an error of the database means to us:
 * - `again`: the transaction was rolled back and may be run again;
 * - `locked`: another transaction kept a row for too long;
 * - `connection`: this statement or connection ended; the server may be well;
 * - `limit`: the server accepts no more connections now; those that are open go on;
 * - `server`: this server serves nobody now: read-only, not in the primary component, shutting down, full or broken;
 * - `configuration`: a person must change an account, a right or the schema;
 * - `defect`: our statement or its data are wrong.
 */
export type FailureClass =
  'again' | 'locked' | 'connection' | 'limit' | 'server' | 'configuration' | 'defect';

/** What a server says that does not accept writes. */
export const READ_ONLY = {
  ER_OPEN_AS_READONLY: 1036,
  ER_OPTION_PREVENTS_STATEMENT: 1290,
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: 1792,
  ER_READ_ONLY_MODE: 1836,
  ER_INNODB_READ_ONLY: 1874,
  ER_SCHEMA_READ_ONLY: 3989,
};

/** What a server says that has no space left. */
export const FULL = {
  EE_WRITE: 3,
  EE_DISK_FULL: 20,
  ER_DISK_FULL: 1021,
  ER_ERROR_ON_WRITE: 1026,
  ER_RECORD_FILE_FULL: 1114,
  ER_IO_WRITE_ERROR: 1811,
  ER_TEMP_FILE_WRITE_FAILURE: 1878,
  ER_INNODB_UNDO_LOG_FULL: 3019,
  ER_DISK_FULL_NOWAIT: 3675,
  ER_INDEX_FILE_FULL: 4139,
};

/** A Galera node that left the primary component answers so to everything but SET and SHOW. */
export const NOT_PRIMARY = 1047;

const SHUTDOWN = {
  ER_SERVER_SHUTDOWN: 1053,
  ER_NORMAL_SHUTDOWN: 1077,
  ER_GOT_SIGNAL: 1078,
  ER_SHUTDOWN_COMPLETE: 1079,
  ER_FORCING_CLOSE: 1080,
};

/** The errors of MariaDB 10.11 and MySQL 8.0 that are no defects of ours, by name and number. */
export const SERVER_ERRORS: Readonly<
  Record<Exclude<FailureClass, 'defect'>, Readonly<Record<string, number>>>
> = {
  again: {
    ER_CHECKREAD: 1020,
    ER_LOCK_DEADLOCK: 1213,
    ER_TABLE_DEF_CHANGED: 1412,
    // Group Replication: the certification failed.
    ER_TRANSACTION_ROLLBACK_DURING_COMMIT: 3101,
  },
  locked: { ER_LOCK_WAIT_TIMEOUT: 1205, ER_LOCK_NOWAIT: 3572 },
  connection: {
    ER_FILE_USED: 1027,
    ER_FILSORT_ABORT: 1028,
    // Proxies send it when they know nothing better.
    ER_UNKNOWN_ERROR: 1105,
    ER_ABORTING_CONNECTION: 1152,
    ER_NET_READ_ERROR_FROM_PIPE: 1154,
    ER_NET_FCNTL_ERROR: 1155,
    ER_NET_PACKETS_OUT_OF_ORDER: 1156,
    ER_NET_UNCOMPRESS_ERROR: 1157,
    ER_NET_READ_ERROR: 1158,
    ER_NET_READ_INTERRUPTED: 1159,
    ER_NET_ERROR_ON_WRITE: 1160,
    ER_NET_WRITE_INTERRUPTED: 1161,
    ER_NEW_ABORTING_CONNECTION: 1184,
    ER_TRANS_CACHE_FULL: 1197,
    ER_LOCK_TABLE_FULL: 1206,
    ER_QUERY_INTERRUPTED: 1317,
    ER_MAX_PREPARED_STMT_COUNT_REACHED: 1461,
    ER_LOCK_ABORTED: 1689,
    ER_STMT_CACHE_FULL: 1705,
    ER_MALFORMED_PACKET: 1835,
    ER_CONNECTION_KILLED: 1927,
    ER_QUERY_RESULT_INCOMPLETE: 1931,
    ER_PRIOR_COMMIT_FAILED: 1964,
    ER_STATEMENT_TIMEOUT: 1969,
    ER_QUERY_TIMEOUT: 3024,
    ER_USER_LOCK_DEADLOCK: 3058,
    ER_SESSION_WAS_KILLED: 3169,
    ER_LOCK_REFUSED_BY_ENGINE: 3177,
    ER_WRITE_SET_EXCEEDS_LIMIT: 3231,
    ER_CLIENT_INTERACTION_TIMEOUT: 4031,
  },
  limit: { ER_CON_COUNT_ERROR: 1040, ER_TOO_MANY_USER_CONNECTIONS: 1203 },
  server: {
    ...READ_ONLY,
    ...FULL,
    ...SHUTDOWN,
    ER_UNKNOWN_COM_ERROR: NOT_PRIMARY,
    ER_CANT_CREATE_FILE: 1004,
    ER_CANT_CREATE_TABLE: 1005,
    ER_CANT_CREATE_DB: 1006,
    ER_DB_DROP_DELETE: 1009,
    ER_DB_DROP_RMDIR: 1010,
    ER_CANT_DELETE_FILE: 1011,
    ER_CANT_FIND_SYSTEM_REC: 1012,
    ER_CANT_GET_STAT: 1013,
    ER_CANT_GET_WD: 1014,
    ER_CANT_LOCK: 1015,
    ER_CANT_OPEN_FILE: 1016,
    ER_FILE_NOT_FOUND: 1017,
    ER_CANT_READ_DIR: 1018,
    ER_CANT_SET_WD: 1019,
    ER_ERROR_ON_CLOSE: 1023,
    ER_ERROR_ON_READ: 1024,
    ER_ERROR_ON_RENAME: 1025,
    ER_GET_ERRNO: 1030,
    ER_KEY_NOT_FOUND: 1032,
    ER_NOT_FORM_FILE: 1033,
    ER_NOT_KEYFILE: 1034,
    ER_OLD_KEYFILE: 1035,
    ER_OUTOFMEMORY: 1037,
    ER_OUT_OF_SORTMEMORY: 1038,
    ER_UNEXPECTED_EOF: 1039,
    ER_OUT_OF_RESOURCES: 1041,
    ER_BAD_HOST_ERROR: 1042,
    ER_HANDSHAKE_ERROR: 1043,
    ER_IPSOCK_ERROR: 1081,
    ER_STACK_OVERRUN: 1119,
    ER_HOST_IS_BLOCKED: 1129,
    ER_CANT_CREATE_THREAD: 1135,
    ER_ERROR_DURING_COMMIT: 1180,
    ER_ERROR_DURING_ROLLBACK: 1181,
    ER_ERROR_DURING_FLUSH_LOGS: 1182,
    ER_ERROR_DURING_CHECKPOINT: 1183,
    ER_CRASHED_ON_USAGE: 1194,
    ER_CRASHED_ON_REPAIR: 1195,
    ER_USER_LIMIT_REACHED: 1226,
    ER_GET_ERRMSG: 1296,
    ER_GET_TEMPORARY_ERRMSG: 1297,
    ER_IO_ERR_LOG_INDEX_READ: 1374,
    ER_FSEEK_FAIL: 1376,
    ER_STACK_OVERRUN_NEED_MORE: 1436,
    ER_AUTOINC_READ_FAILED: 1467,
    ER_BINLOG_LOGGING_IMPOSSIBLE: 1598,
    ER_TOO_MANY_CONCURRENT_TRXS: 1637,
    ER_TABLE_NEEDS_REBUILD: 1707,
    ER_INDEX_CORRUPT: 1712,
    ER_CANNOT_LOAD_FROM_TABLE_V2: 1728,
    ER_IO_READ_ERROR: 1810,
    ER_TABLESPACE_MISSING: 1812,
    ER_TABLESPACE_DISCARDED: 1814,
    ER_INTERNAL_ERROR: 1815,
    ER_INNODB_INDEX_CORRUPT: 1817,
    ER_TABLE_CORRUPT: 1877,
    ER_FILE_CORRUPT: 3000,
    ER_STORAGE_ENGINE_NOT_LOADED: 3003,
    ER_ENGINE_OUT_OF_MEMORY: 3015,
    ER_SERVER_OFFLINE_MODE: 3032,
    ER_STD_BAD_ALLOC_ERROR: 3044,
    ER_SERVER_ISNT_AVAILABLE: 3168,
    ER_TABLESPACE_MISSING_WITH_NAME: 3510,
    ER_MISSING_TABLESPACE_FILE: 3629,
    ER_MDL_OUT_OF_RESOURCES: 3985,
    ER_STORAGE_ENGINE_DISABLED: 4182,
    // Group Replication: the member has no majority, or is expelled.
    ER_RUN_HOOK_ERROR: 3100,
    ER_GR_HOLD_WAIT_TIMEOUT: 3781,
    ER_GR_HOLD_KILLED: 3782,
    ER_GR_HOLD_MEMBER_STATUS_ERROR: 3783,
    ER_GRP_TRX_CONSISTENCY_BEFORE: 3797,
    ER_GRP_TRX_CONSISTENCY_AFTER_ON_TRX_BEGIN: 3798,
  },
  configuration: {
    ER_DBACCESS_DENIED_ERROR: 1044,
    ER_ACCESS_DENIED_ERROR: 1045,
    ER_NO_DB_ERROR: 1046,
    ER_BAD_DB_ERROR: 1049,
    ER_BAD_FIELD_ERROR: 1054,
    ER_TOO_BIG_SELECT: 1104,
    ER_HOST_NOT_PRIVILEGED: 1130,
    ER_PASSWORD_NO_MATCH: 1133,
    ER_TABLEACCESS_DENIED_ERROR: 1142,
    ER_COLUMNACCESS_DENIED_ERROR: 1143,
    ER_NO_SUCH_TABLE: 1146,
    ER_SPECIFIC_ACCESS_DENIED_ERROR: 1227,
    ER_NOT_SUPPORTED_AUTH_MODE: 1251,
    ER_SERVER_IS_IN_SECURE_AUTH_MODE: 1275,
    ER_PROCACCESS_DENIED_ERROR: 1370,
    ER_NO_SUCH_USER: 1449,
    ER_PLUGIN_IS_NOT_LOADED: 1524,
    ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 1698,
    ER_MUST_CHANGE_PASSWORD: 1820,
    ER_MUST_CHANGE_PASSWORD_LOGIN: 1862,
    ER_ACCESS_DENIED_CHANGE_USER_ERROR: 1873,
    ER_NO_SUCH_TABLE_IN_ENGINE: 1932,
    // Group Replication: a table without a primary key, and more of the kind.
    ER_BEFORE_DML_VALIDATION_ERROR: 3098,
    // MySQL's number; MariaDB's is 4151.
    ER_ACCOUNT_HAS_BEEN_LOCKED: 3118,
    ER_SECURE_TRANSPORT_REQUIRED: 3159,
    ER_GRP_TRX_CONSISTENCY_NOT_ALLOWED: 3796,
    ER_GRP_TRX_CONSISTENCY_BEGIN_NOT_ALLOWED: 3799,
    ER_DB_ACCESS_DENIED: 3879,
    ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK: 3955,
    ER_USER_IS_BLOCKED: 4150,
    ER_ACCOUNT_LOCKED_OF_MARIADB: 4151,
  },
};

const BY_NUMBER = new Map(
  Object.entries(SERVER_ERRORS).flatMap(([name, numbers]) =>
    Object.values(numbers).map((number) => [number, name as FailureClass] as const),
  ),
);

/** Below: errors of the server's file layer. */
const FIRST_NUMBER = 1000;
/** Every number in these ranges was looked at: what {@link SERVER_ERRORS} does not name is a defect of ours. */
const LOOKED_AT = [
  [FIRST_NUMBER, 1999],
  [3000, 4192],
] as const;

/** What a SQLSTATE means, by its first two characters, where the number says nothing. */
const BY_STATE: Readonly<Record<string, FailureClass>> = {
  '08': 'connection',
  '53': 'server',
  '57': 'server',
  '58': 'server',
  '70': 'connection',
  '40': 'again',
  '28': 'configuration',
  '3D': 'configuration',
  '21': 'defect',
  '22': 'defect',
  '23': 'defect',
  '0A': 'defect',
  '42': 'defect',
};

/**
 * Returns the class of an error that a server sent.
 *
 * An error without a known number and state is `connection`: the statements are the same as a moment ago, so more likely
 * the server, or a proxy in front of it, has changed.
 */
export function classOfServerError(number: number, sqlState: string | undefined): FailureClass {
  const known = BY_NUMBER.get(number);
  if (known !== undefined) return known;
  if (number < FIRST_NUMBER) return 'server';
  const state = sqlState?.slice(0, 2) ?? '';
  if (Object.hasOwn(BY_STATE, state)) return BY_STATE[state];
  return LOOKED_AT.some(([first, last]) => number >= first && number <= last) ? 'defect' : 'connection';
}

const NAMES = new Map(
  Object.values(SERVER_ERRORS).flatMap((numbers) =>
    Object.entries(numbers).map(([name, number]) => [number, name] as const),
  ),
);

/** Returns the name of a number in {@link SERVER_ERRORS}. The driver knows MySQL's names alone, which differ from 1900 on. */
export function nameOfServerError(number: number): string | undefined {
  return NAMES.get(number);
}

/** Returns what is wrong with a server that sent this number, e.g. `is read-only`; null if the number says no more. */
export function conditionOfServer(number: number): string | null {
  if (number === NOT_PRIMARY) return 'does not belong to the primary component of its cluster';
  if (Object.values(READ_ONLY).includes(number)) return 'is read-only';
  if (Object.values(FULL).includes(number)) return 'has no space left';
  if (Object.values(SHUTDOWN).includes(number)) return 'is shutting down';
  if (Object.values(SERVER_ERRORS.limit).includes(number)) return 'accepts no more connections';
  return null;
}
