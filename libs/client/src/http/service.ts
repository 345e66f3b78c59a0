import { noAnswer, readAnswer, type Secret } from '../../../contracts/src/plain';
import { errorOf, RateLimitedError, type ServiceError, ServiceUnreachableError } from '../errors';
import { type Credentials } from './credentials';
import { ConnectionFailure, type HttpAnswer, type HttpCall, type HttpConnection } from './http-connection';
import { retrying } from './retrying';

export type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ServiceCall {
  readonly method: HttpCall['method'];
  /** Below `/api/v1/`. */
  readonly path: string;
  readonly query?: Parameters;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** A token in the body, which may say who asks. */
  readonly requestToken?: Secret | null;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly retries: number;
  /** Doing it twice is as doing it once. */
  readonly repeatable: boolean;
}

/** Exit code of errors after which one is to try again: the table's word for "passing". */
const TEMPORARY = 75;

/** The API of a dms-client: JSON, errors as classes, and repetitions where they can do no harm. */
export class Service {
  constructor(
    readonly connection: HttpConnection,
    readonly credentials: Credentials,
  ) {}

  /** @throws ServiceError; the reason of `signal` */
  async ask<T>(call: ServiceCall): Promise<T> {
    const deadline = performance.now() + call.timeoutMs;
    return retrying(() => this.#once<T>(call, deadline), {
      retries: call.retries,
      deadline,
      signal: call.signal,
      worthwhile: call.repeatable ? mayPass : wasNotBegun,
    });
  }

  /** Whether an address outside of the API answers with success; false also where nothing answers. */
  async answers(
    path: string,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<boolean> {
    try {
      const answer = await this.connection.send({ method: 'GET', path, headers: {}, timeoutMs, signal });
      return answer.status < 300;
    } catch (error) {
      if (error instanceof ConnectionFailure) return false;
      throw error;
    }
  }

  async #once<T>({ requestToken, ...call }: ServiceCall, deadline: number): Promise<T> {
    const headers = {
      ...call.headers,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(await this.credentials.headers(requestToken ?? null)),
    };
    try {
      const answer = await this.connection.send({
        method: call.method,
        path: pathOf(call.path, call.query),
        headers,
        body: call.body === undefined ? undefined : JSON.stringify(call.body),
        timeoutMs: deadline - performance.now(),
        signal: call.signal,
      });
      return this.read<T>(answer);
    } catch (error) {
      throw error instanceof ConnectionFailure ? this.unanswered(error) : error;
    }
  }

  /** @throws ServiceError what the service answered, with its code */
  read<T>({ status, headers, text }: HttpAnswer): T {
    const answer = readAnswer<T>(
      this.connection.address,
      status,
      text,
      headers['x-request-id'] !== undefined,
    );
    if ('body' in answer) return answer.body;
    const { code, message, ...facts } = answer.error;
    const retryAfter = Number(headers['retry-after']);
    const retryAfterS = headers['retry-after'] !== undefined && retryAfter >= 0 ? retryAfter : undefined;
    throw errorOf(code, message, { ...facts, retryAfterS });
  }

  /** The error of a request without an answer. */
  unanswered({ sent, reason, cause }: ConnectionFailure): ServiceError {
    const { code, message } = noAnswer(this.connection.address, reason, sent);
    return errorOf(code, message, { cause });
  }
}

/** The address of a call, without what is undefined. */
export function pathOf(path: string, query: Parameters = {}): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) text.set(name, String(value));
  return `/api/v1/${path}${text.size === 0 ? '' : `?${text.toString()}`}`;
}

/** A request that goes on at the service is not repeated: its operation tells what becomes of it. */
function mayPass({ code, exitCode, operationId }: ServiceError): boolean {
  return exitCode === TEMPORARY && !(code === 'TIMEOUT' && operationId !== undefined);
}

function wasNotBegun(error: ServiceError): boolean {
  return error instanceof ServiceUnreachableError || error instanceof RateLimitedError;
}
