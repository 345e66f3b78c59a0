import { type DmsErrorOptions } from '../errors/dms-error';
import { type ErrorCode, isErrorCode } from '../errors/error-codes';

/** What a caller of the HTTP facade is told as an error, to be made into one of its own classes. */
export interface AnsweredError extends DmsErrorOptions {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What an answer of the HTTP facade comes to. */
export type FacadeAnswer<T> = { readonly body: T } | { readonly error: AnsweredError };

/**
 * Reads an answer.
 *
 * @param address where it came from, for messages; without a password in it
 * @param text its body, whatever that is
 */
export function readAnswer<T>(address: string, status: number, text: string): FacadeAnswer<T> {
  const body = objectIn(text);
  if (status < 400 && body !== null) return { body: body as T };
  if (!isErrorCode(body?.error_code)) return { error: answeredByAnother(address, status) };
  const { error_code: code, error_msg, operation_id, details, released, failed } = body;
  return {
    error: {
      code,
      message: String(error_msg),
      // A release of all that a job holds tells what became of each.
      details: (details ?? (failed === undefined ? undefined : { released, failed })) as
        Record<string, unknown> | undefined,
      operationId: typeof operation_id === 'string' ? operation_id : undefined,
    },
  };
}

/** What no answer comes to. @param sent the request may have reached the service @param reason for people */
export function noAnswer(address: string, reason: string, sent: boolean): AnsweredError {
  return sent
    ? {
        code: 'TIMEOUT',
        message: `dms-client at ${address} did not answer (${reason}): the outcome is unknown; ask again`,
      }
    : {
        code: 'CLIENT_UNREACHABLE',
        message: `dms-client at ${address} cannot be reached (${reason}); nothing was asked for`,
      };
}

/** What a proxy says while the service is away tells nothing of the request. */
function answeredByAnother(address: string, status: number): AnsweredError {
  const what = `${address} answered with status ${status}, not as a dms-client does`;
  return status === 502 || status === 503 || status === 504
    ? { code: 'TIMEOUT', message: `${what}: the outcome is unknown` }
    : { code: 'INTERNAL', message: what };
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
