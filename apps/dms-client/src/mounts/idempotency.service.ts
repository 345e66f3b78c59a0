import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DmsError, ERROR_CODES, type TargetAction, type TargetRequestDto } from '@app/contracts';
import { type ProjectScope } from '../access/identity';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { IdempotencyRepository, type KeyedOperation } from './idempotency.repository';
import { type TargetResponse } from './waiting-request';

const MAX_KEY_CHARACTERS = 255;
const POLL_MS = 100;
/** Exit code of errors after which one is to try again: those are carried out anew, not repeated. */
const TEMPORARY = 75;

/**
 * Makes a request that carries an `Idempotency-Key` happen once: the same key again gets the same answer, a mount's
 * success only while the hold lasts that it granted.
 */
@Injectable()
export class IdempotencyService {
  constructor(
    private readonly keys: IdempotencyRepository,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {}

  /**
   * @param execute carries the request out under the given operation id
   * @throws DmsError VALIDATION_FAILED for a key that is none; CONFLICT where the key stood for another request, or
   *   for a hold that has ended; the recorded error of the first request; whatever `execute` throws
   */
  async once(
    { key: given, scope }: { key: string | undefined; scope: ProjectScope },
    action: TargetAction,
    request: TargetRequestDto,
    execute: (operationId: string) => Promise<TargetResponse>,
  ): Promise<TargetResponse> {
    const operationId = randomUUID();
    if (given === undefined) return execute(operationId);
    checkKey(given);
    const key = keyWithin(scope, given);
    const hash = hashOf(action, request);
    if (await this.keys.insert(key, hash, operationId)) return execute(operationId);
    const known = await this.#finished(key);
    if (!known.requestHash.equals(hash)) {
      throw new DmsError('CONFLICT', 'Idempotency-Key: it was used for another request; use a new key');
    }
    if (!isFinal(action, known)) {
      if (await this.keys.replace(key, known.operationId, operationId)) return execute(operationId);
      throw new DmsError('BUSY', 'Idempotency-Key: another request with this key is under way');
    }
    return replay(action, known);
  }

  /** Waits, as long as a request may take, for the first request with this key to end. */
  async #finished(key: string): Promise<KeyedOperation> {
    const deadline = performance.now() + this.settings.requestTimeoutMs;
    for (;;) {
      const known = await this.keys.find(key);
      if (known === null) throw new DmsError('CONFLICT', 'Idempotency-Key: the key was removed meanwhile');
      if (known.status !== 'executing' && known.status !== 'pending') return known;
      if (performance.now() > deadline) {
        throw new DmsError(
          'TIMEOUT',
          'The first request with this key has not ended; its outcome is unknown',
          {
            operationId: known.operationId,
          },
        );
      }
      await sleep(POLL_MS);
    }
  }
}

/**
 * The first request was begun and ended in a way that trying again would not change. What succeeded, but was found out
 * only after its answer was lost, is carried out again: a mount joins what stands, an unmount finds nothing to end.
 */
function isFinal(
  action: TargetAction,
  { status, errorCode, bindingState, responseData }: KeyedOperation,
): boolean {
  if (status === null) return false;
  if (status === 'error') return errorCode === null || ERROR_CODES[errorCode].exit !== TEMPORARY;
  if (action === 'unmount') return responseData !== null;
  return bindingState !== 'claimed' && !(bindingState === 'held' && responseData === null);
}

function replay(action: TargetAction, known: KeyedOperation): TargetResponse {
  const { operationId } = known;
  if (known.status === 'error') {
    throw new DmsError(known.errorCode ?? 'INTERNAL', known.errorMessage ?? 'The request failed', {
      operationId,
    });
  }
  if ((action === 'mount' && known.bindingState !== 'held') || known.responseData === null) {
    throw new DmsError('CONFLICT', 'Idempotency-Key: what this key granted has ended; use a new key', {
      operationId,
    });
  }
  return JSON.parse(known.responseData) as TargetResponse;
}

function checkKey(key: string): void {
  if (key.length > 0 && key.length <= MAX_KEY_CHARACTERS) return;
  throw DmsError.validation([
    { field: 'Idempotency-Key', problem: `must have 1 to ${MAX_KEY_CHARACTERS} characters` },
  ]);
}

/** Projects do not meet each other's keys. */
function keyWithin({ projectId, proven }: ProjectScope, key: string): string {
  if (!proven || projectId === null) return key;
  return createHash('sha256')
    .update(JSON.stringify([projectId, key]))
    .digest('hex');
}

/** The token is left out, and how far the job is: a retry may come with a new one, and later. */
function hashOf(action: TargetAction, { keystone_token: _, ...rest }: TargetRequestDto): Buffer {
  const { jobid, action: purpose } = rest.job;
  const request = { ...rest, job: { jobid, action: purpose } };
  return createHash('sha256').update(JSON.stringify({ action, request })).digest();
}
