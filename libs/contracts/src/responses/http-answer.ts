import { type DmsErrorOptions } from '../errors/dms-error';
import { type ErrorCode, isErrorCode } from '../errors/error-codes';

/** What a program of this project says of an address that it does not have. */
export const NO_SUCH_RESOURCE = 'There is no such resource';

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
 * @param named whether it bears `X-Request-Id`, as all answers of dms-client do; dms-server has errors of the same shape
 */
export function readAnswer<T>(address: string, status: number, text: string, named = true): FacadeAnswer<T> {
  const body = objectIn(text);
  if (status < 400 && body !== null) return { body: body as T };
  if (!isErrorCode(body?.error_code)) {
    const isNewer = typeof body?.error_code === 'string';
    return { error: isNewer ? unknownCode(address, body?.error_code) : answeredByAnother(address, status) };
  }
  if (body.error_msg === NO_SUCH_RESOURCE && !named) return { error: answeredByAnother(address, status) };
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

/**
 * Returns what is wrong with an answer of success that tells nothing of the mount; null: it is that of a dms-client. Another
 * service may answer `{}` to everything.
 */
export function outcomeProblem(
  address: string,
  action: 'mount' | 'unmount',
  body: { readonly status?: unknown; readonly mount_path?: unknown },
): AnsweredError | null {
  const isOurs = body.status === 'success' && (action === 'unmount' || typeof body.mount_path === 'string');
  if (isOurs) return null;
  const missing = action === 'mount' ? '"status" and "mount_path"' : '"status"';
  return {
    code: 'WRONG_SERVICE',
    message: `${address} answered the ${action} without ${missing}, not as a dms-client does: correct DMS_API_URL`,
  };
}

/** Codes of TLS that say that a certificate is not trusted. */
const UNTRUSTED = /^(CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+|ERR_TLS_CERT\w+)$/;
/** Codes of parsers that met something else than HTTP, or than TLS. */
const ANOTHER_PROTOCOL = /^(HPE_\w+|HTTPParserError|EPROTO|ERR_SSL_\w+)$/;

/** What no answer comes to. @param sent the request may have reached the service @param reason for people */
export function noAnswer(address: string, reason: string, sent: boolean): AnsweredError {
  if (UNTRUSTED.test(reason)) {
    const message = `The certificate of ${address} is not trusted (${reason}); nothing was asked for`;
    return { code: 'WRONG_SERVICE', message };
  }
  if (ANOTHER_PROTOCOL.test(reason)) {
    const protocol = address.startsWith('https:') ? 'HTTPS' : 'HTTP';
    return {
      code: 'WRONG_SERVICE',
      message: `What answers at ${address} does not speak ${protocol} (${reason})`,
    };
  }
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

/** What a proxy says while the service is away, or after its own time-out, tells nothing of the request. */
function answeredByAnother(address: string, status: number): AnsweredError {
  const what = `${address} answered with status ${status}, not as a dms-client does`;
  return status >= 500 || status === 408
    ? { code: 'TIMEOUT', message: `${what}: the outcome is unknown` }
    : { code: 'WRONG_SERVICE', message: what };
}

/** A dms-client of a later version. */
function unknownCode(address: string, code: unknown): AnsweredError {
  return {
    code: 'INTERNAL',
    message: `dms-client at ${address} answered with ${String(code)}, a code that is not known here`,
  };
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
