/** The names that `DMS_LOG_LEVEL` takes: those of Python's logging, and pino's for the same. */
export const LOG_LEVELS = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  WARN: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
} as const;

/** What the documentation says of the setting. */
export const LOG_LEVEL_HELP = `Least level that is logged: ${Object.keys(LOG_LEVELS).join(', ')}. Upper and lower case are the same.`;

export type LogLevel = (typeof LOG_LEVELS)[keyof typeof LOG_LEVELS];

export function asLogLevel(text: string): LogLevel {
  const level = Object.entries(LOG_LEVELS).find(([name]) => name === text.toUpperCase());
  if (level === undefined) throw new Error(`must be one of ${Object.keys(LOG_LEVELS).join(', ')}`);
  return level[1];
}
