import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, type TargetAction, type TargetRequestDto } from '@app/contracts';
import { type ProjectScope } from '../access/identity';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { IdempotencyRepository, type KeyedOperation } from './idempotency.repository';
import { type TargetResponse } from './waiting-request';

const MAX_KEY_CHARACTERS = 255;
const POLL_MS = 100;

/**
 * A key without an operation is of a request that is about to be taken in; after this time, in milliseconds, of one
 * whose process died before. Longer than the longest wait for a row lock.
 */
const ABOUT_TO_BEGIN_MS = 10_000;

/** A request under the key that its caller has given it. */
interface KeyedRequest {
  readonly key: string | undefined;
  readonly scope: ProjectScope;
}

/** What a request is carried out under. */
export interface Begun {
  readonly operationId: string;
  /** As it stands in the ledger; absent where the request came without one. */
  readonly idempotencyKey?: string;
}

/** What is to stand for a key. */
interface Entry {
  readonly key: string;
  readonly hash: Buffer;
  readonly operationId: string;
}

/**
 * Makes a request that carries an `Idempotency-Key` happen once: the same key again gets the same success, a mount's only
 * while the hold lasts that it granted. A request that failed has left nothing behind, and its failure may pass, whatever
 * its code: the same key again carries it out.
 */
@Injectable()
export class IdempotencyService {
  readonly #log = new Logger(IdempotencyService.name);

  constructor(
    private readonly keys: IdempotencyRepository,
    @Inject(SETTINGS) private readonly settings: Pick<ClientSettings, 'requestTimeoutMs'>,
  ) {}

  /**
   * The answer at the end of the request; that of the first one with this key is waited for. `isRepeated`: it was given
   * before, and is as it was then.
   *
   * @param execute carries the request out under the given operation id
   * @throws DmsError VALIDATION_FAILED for a key that is none; CONFLICT where the key stood for another request, or
   *   for a hold that has ended; TIMEOUT where the first request does not end in time; whatever `execute` throws
   */
  async once(
    keyed: KeyedRequest,
    action: TargetAction,
    request: TargetRequestDto,
    execute: (begun: Begun) => Promise<TargetResponse>,
  ): Promise<{ readonly response: TargetResponse; readonly isRepeated: boolean }> {
    const known = await this.#unlessKnown(keyed, action, request, { waits: true, execute });
    if ('answer' in known) return { response: known.answer, isRepeated: false };
    return { response: replay(action, known.first), isRepeated: true };
  }

  /**
   * The id of the operation as soon as there is one: at once where the first request with this key is under way.
   *
   * @param start begins the request under the given operation id, and gives that id when it is begun
   * @throws DmsError as {@link IdempotencyService.once}
   */
  async begun(
    keyed: KeyedRequest,
    action: TargetAction,
    request: TargetRequestDto,
    start: (begun: Begun) => Promise<string>,
  ): Promise<string> {
    const known = await this.#unlessKnown(keyed, action, request, { waits: false, execute: start });
    if ('answer' in known) return known.answer;
    const { status, operationId } = known.first;
    return status === 'success' ? replay(action, known.first).operation_id : operationId;
  }

  /** Executes the request, unless one with its key was before: then what is known of that. */
  async #unlessKnown<T>(
    { key: given, scope }: KeyedRequest,
    action: TargetAction,
    request: TargetRequestDto,
    { waits, execute }: { waits: boolean; execute: (begun: Begun) => Promise<T> },
  ): Promise<{ answer: T } | { first: KeyedOperation }> {
    const operationId = randomUUID();
    if (given === undefined) return { answer: await execute({ operationId }) };
    checkKey(given);
    const entry = { key: keyWithin(scope, given), hash: hashOf(action, request), operationId };
    const first = await this.#firstOf(entry, action, waits);
    if (first !== null) return { first };
    try {
      return { answer: await execute({ operationId, idempotencyKey: entry.key }) };
    } catch (error) {
      // One that was refused before it was begun stands for nothing: the next one need not wait for it.
      await this.keys.removeUnused(entry.key, operationId).catch((err: unknown) => {
        this.#log.warn({ msg: 'A key that stands for nothing stays for some seconds', err });
      });
      throw error;
    }
  }

  /**
   * The first request with the key; null where it is this one. One that is under way is waited for, as long as a request
   * may take: until its end, or until it is begun.
   */
  async #firstOf(
    { key, hash, operationId }: Entry,
    action: TargetAction,
    waits: boolean,
  ): Promise<KeyedOperation | null> {
    if (await this.keys.insert(key, hash, operationId)) return null;
    const deadline = performance.now() + this.settings.requestTimeoutMs;
    for (;;) {
      const known = await this.keys.find(key);
      if (known === null) {
        if (await this.keys.insert(key, hash, operationId)) return null;
        continue;
      }
      if (!known.requestHash.equals(hash)) {
        throw new DmsError('CONFLICT', 'Idempotency-Key: it was used for another request; use a new key');
      }
      if (!isUnderWay(known)) {
        if (isFinal(action, known)) return known;
        if (await this.keys.replace(key, known.operationId, operationId)) return null;
      } else if (!waits && known.status !== null) return known;
      if (performance.now() > deadline) {
        const message = 'The first request with this key has not ended; its outcome is unknown';
        throw new DmsError('TIMEOUT', message, { operationId: known.operationId });
      }
      await sleep(POLL_MS);
    }
  }
}

function isUnderWay({ status, unchangedMs }: KeyedOperation): boolean {
  return status === null ? unchangedMs < ABOUT_TO_BEGIN_MS : status === 'executing' || status === 'pending';
}

/**
 * The first request is over, and its answer stands. An error never does: its cause may pass. What succeeded, but was found
 * out only after its answer was lost, is carried out again: a mount joins what stands, an unmount finds nothing to end.
 */
function isFinal(
  action: TargetAction,
  { status, withdrawn, bindingState, responseData }: KeyedOperation,
): boolean {
  if (status === null) return false;
  if (status === 'error') return action === 'mount' && withdrawn;
  if (action === 'unmount') return responseData !== null;
  return bindingState !== 'claimed' && !(bindingState === 'held' && responseData === null);
}

function replay(action: TargetAction, known: KeyedOperation): TargetResponse {
  const { operationId } = known;
  if (known.status === 'error') {
    const text = 'Idempotency-Key: the job asked for the unmount before the mount had ended; use a new key';
    throw new DmsError('CONFLICT', text, { operationId });
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
