import { randomUUID } from 'node:crypto';
import { type OperationDto, outcomeProblem, Secret } from '../../../contracts/src/plain';
import { errorOf, NotFoundError, ServiceError } from '../errors';
import { type TargetCallOptions, type TargetRequest } from '../requests';
import { pause } from './retrying';
import { type Service } from './service';

const FOLLOW_FIRST_MS = 250;
const FOLLOW_LONGEST_MS = 2_000;
const READ_TIMEOUT_MS = 10_000;
/** Between repetitions of a request whose answer was lost on the way. */
const LOST_PAUSE_MS = 2_000;

export interface TargetCallDefaults {
  readonly timeoutMs: number;
  readonly retries: number;
}

/**
 * Carries out a mount or an unmount. All attempts have one idempotency key, so that they are one request. Where the
 * service says that the outcome is unknown, its operation is asked until it has ended, and nothing is guessed. Where the
 * answer was lost on the way (a proxy gave up, the connection broke), the request is repeated until the time is over.
 *
 * @throws ServiceError, WRONG_SERVICE where a success tells nothing of the mount; TIMEOUT where the outcome is still unknown when the time is over; the reason of the signal
 */
export async function askForTarget<T>(
  service: Service,
  action: 'mount' | 'unmount',
  request: TargetRequest,
  options: TargetCallOptions & TargetCallDefaults,
): Promise<T> {
  const token = await tokenOf(service, request);
  const body = { ...request, action, keystone_token: token?.reveal() ?? null };
  const { timeoutMs, signal, retries, idempotencyKey = randomUUID() } = options;
  const deadline = performance.now() + timeoutMs;
  const ask = (): Promise<T> =>
    service.ask<T>({
      method: 'POST',
      path: action,
      body,
      headers: { 'idempotency-key': idempotencyKey },
      requestToken: token,
      timeoutMs: deadline - performance.now(),
      signal,
      retries,
      repeatable: true,
    });
  for (;;) {
    try {
      return checked(service, action, await ask());
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'TIMEOUT') throw error;
      if (error.operationId === undefined) {
        if (retries === 0 || performance.now() + LOST_PAUSE_MS >= deadline) throw error;
        await pause(LOST_PAUSE_MS, signal);
        continue;
      }
      const known = await follow<T>(service, error, error.operationId, token, { deadline, signal });
      if (known !== null) return known;
      // It succeeded and its answer is lost, or it was never begun. Asked again, a mount joins what stands.
    }
  }
}

/** An answer of this action. @throws WrongServiceError */
function checked<T>(service: Service, action: 'mount' | 'unmount', answer: T): T {
  const problem = outcomeProblem(service.connection.address, action, answer as object);
  if (problem === null) return answer;
  throw errorOf(problem.code, problem.message);
}

/**
 * @returns the answer that the request would have got; null where it succeeded and the answer was not kept, or where the
 *   service knows no such operation, because it never began
 */
async function follow<T>(
  service: Service,
  unknown: ServiceError,
  operationId: string,
  requestToken: Secret | null,
  { deadline, signal }: { deadline: number; signal?: AbortSignal },
): Promise<T | null> {
  for (let pauseMs = FOLLOW_FIRST_MS; ; pauseMs = Math.min(FOLLOW_LONGEST_MS, pauseMs * 2)) {
    if (performance.now() + pauseMs >= deadline) throw unknown;
    await pause(pauseMs, signal);
    const operation = await look(service, operationId, requestToken, signal);
    if (operation === 'none') return null;
    if (operation?.status === 'success') return operation.response_data as T | null;
    if (operation?.status === 'error') {
      throw errorOf(operation.error_code ?? 'INTERNAL', operation.error_msg ?? 'The request failed', {
        operationId,
        cause: unknown,
      });
    }
  }
}

/** Null where the service cannot say at the moment; `none`: it knows no such operation. */
async function look(
  service: Service,
  operationId: string,
  requestToken: Secret | null,
  signal: AbortSignal | undefined,
): Promise<OperationDto | 'none' | null> {
  try {
    return await service.ask<OperationDto>({
      method: 'GET',
      path: `operations/${encodeURIComponent(operationId)}`,
      requestToken,
      timeoutMs: READ_TIMEOUT_MS,
      signal,
      retries: 0,
      repeatable: true,
    });
  } catch (error) {
    if (error instanceof NotFoundError) return 'none';
    if (error instanceof ServiceError && error.exitCode === 75) return null;
    throw error;
  }
}

async function tokenOf(service: Service, { keystone_token }: TargetRequest): Promise<Secret | null> {
  if (keystone_token instanceof Secret) return keystone_token;
  return keystone_token ? new Secret(keystone_token) : service.credentials.keystoneToken();
}
