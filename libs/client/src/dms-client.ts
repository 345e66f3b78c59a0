import {
  type BindingDto,
  type BindingListDto,
  type BindingStatusDto,
  type CleanupResponseDto,
  type DeleteBindingResponseDto,
  type HistoryDto,
  type MountResponseDto,
  type NodeDetailDto,
  type NodeDto,
  type NodeListDto,
  type OperationDto,
  type OperationListDto,
  type ReleaseJobResponseDto,
  type StateEventDto,
  type UnmountResponseDto,
} from '../../contracts/src/plain';
import { NotFoundError } from './errors';
import { type EventOptions, stateEvents } from './events/event-stream';
import { type CredentialOptions, Credentials } from './http/credentials';
import { HttpConnection } from './http/http-connection';
import { type Parameters, Service, type ServiceCall } from './http/service';
import { askForTarget } from './http/target-calls';
import { AcquiredMount, type AcquireOptions } from './mounts/acquired-mount';
import { type MountScope, withMount, type WithMountOptions } from './mounts/with-mount';
import {
  type BindingFilter,
  type BindingName,
  type CallOptions,
  type EventFilter,
  type OperationFilter,
  type TargetCallOptions,
  type TargetRequest,
} from './requests';

/** The service waits for a node for 300 s by default, and its answer is to arrive. */
const TARGET_TIMEOUT_MS = 330_000;
const READ_TIMEOUT_MS = 30_000;
/** It is tried again at the next third of the lease. */
const RENEW_TIMEOUT_MS = 10_000;
const CLEANUP_TIMEOUT_MS = 600_000;
const HEALTH_TIMEOUT_MS = 5_000;
const PAGE = 1_000;

export interface DmsClientOptions extends CredentialOptions {
  /** Address of dms-client's HTTP API, `http://127.0.0.1:8090` for one. */
  readonly url: string | URL;
  /** Certificates of the authorities to trust, as PEM; else those of Node.js. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** Milliseconds for a mount or an unmount, repetitions included. Default: 330 000. */
  readonly timeoutMs?: number;
  /** How often a call is repeated after a failure that may pass. Default: 3. */
  readonly retries?: number;
}

/**
 * The Dynamic Mount Service for a program that needs backup targets. All methods reject with a {@link ServiceError}, or
 * with the reason of the signal that they were given.
 */
export class DmsClient implements AsyncDisposable {
  readonly #service: Service;
  readonly #timeoutMs: number;
  readonly #retries: number;
  readonly #closed = new AbortController();

  /** @throws RequestValidationError for an address that is none */
  constructor({ url, ca, timeoutMs = TARGET_TIMEOUT_MS, retries = 3, ...credentials }: DmsClientOptions) {
    this.#service = new Service(new HttpConnection(url, ca), new Credentials(credentials));
    this.#timeoutMs = timeoutMs;
    this.#retries = retries;
  }

  /** Mounts the target for the job, or lets the job join its mount. */
  mount(request: TargetRequest, options: TargetCallOptions = {}): Promise<MountResponseDto> {
    return askForTarget(this.#service, 'mount', request, this.#withDefaults(options));
  }

  /** Ends the job's hold; the last hold takes the mount away. What is not held counts as released. */
  unmount(request: TargetRequest, options: TargetCallOptions = {}): Promise<UnmountResponseDto> {
    return askForTarget(this.#service, 'unmount', request, this.#withDefaults(options));
  }

  /**
   * Runs `use` while the target is mounted, and always unmounts. A lease (`lease_s`) is renewed meanwhile.
   *
   * @returns what `use` returns
   * @throws what `use` throws; MountLostError, with what `use` threw as its cause, where the mount was lost;
   *   AggregateError of both errors where `use` and the unmount failed; as {@link DmsClient.acquire}
   */
  withMount<T>(
    request: TargetRequest,
    use: (scope: MountScope) => T | Promise<T>,
    options: WithMountOptions = {},
  ): Promise<T> {
    return withMount(this, request, use, options);
  }

  /**
   * Mounts the target until the result is released, by itself at the end of the scope: `await using mount = await
   * client.acquire(request)`. The hold has a name of its own where the request gives none.
   *
   * @throws NotMountedError where the target is not mounted where this process looks
   */
  acquire(request: TargetRequest, options: AcquireOptions = {}): Promise<AcquiredMount> {
    return AcquiredMount.acquire(this, request, options);
  }

  /** Makes the hold's lease last `lease_s` seconds more, or as many as were asked for last. */
  renew(
    name: BindingName,
    { lease_s, ...options }: CallOptions & { lease_s?: number } = {},
  ): Promise<BindingDto> {
    return this.#ask({
      method: 'POST',
      path: `${bindingPath(name)}/renew`,
      query: { host: name.host },
      body: lease_s === undefined ? {} : { lease_s },
      timeoutMs: RENEW_TIMEOUT_MS,
      ...options,
    });
  }

  /** @param options `verify`: ask the node, too, what it sees @returns null where there is no such binding */
  async getMountStatus(
    name: BindingName,
    { verify, ...options }: CallOptions & { verify?: boolean } = {},
  ): Promise<BindingStatusDto | null> {
    try {
      return await this.#read(bindingPath(name), { host: name.host, verify }, options);
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }

  /** What is held now, oldest first. */
  async getActiveMounts(
    filter: Omit<BindingFilter, 'mounted'> = {},
    options: CallOptions = {},
  ): Promise<BindingDto[]> {
    const all: BindingDto[] = [];
    for await (const binding of this.bindings({ ...filter, mounted: true }, options)) all.push(binding);
    return all;
  }

  /** Bindings of jobs to targets, oldest first; further pages are asked for while one iterates. */
  async *bindings(
    filter: BindingFilter = {},
    options: CallOptions = {},
  ): AsyncGenerator<BindingDto, void, undefined> {
    for (let cursor: string | undefined; ;) {
      const page: BindingListDto = await this.#read('bindings', { ...filter, limit: PAGE, cursor }, options);
      yield* page.bindings;
      if (page.next_cursor === null) return;
      cursor = page.next_cursor;
    }
  }

  /** What was asked for a target, newest first. */
  async getLedgerHistory(
    backupTargetId: string,
    { limit, ...options }: CallOptions & { limit?: number } = {},
  ): Promise<OperationDto[]> {
    const path = `targets/${encodeURIComponent(backupTargetId)}/history`;
    return (await this.#read<HistoryDto>(path, { limit }, options)).operations;
  }

  /** One request and what became of it. */
  operation(id: string, options: CallOptions = {}): Promise<OperationDto> {
    return this.#read(`operations/${encodeURIComponent(id)}`, {}, options);
  }

  /** Requests, newest first; further pages are asked for while one iterates. */
  async *operations(
    { since, until, ...filter }: OperationFilter = {},
    options: CallOptions = {},
  ): AsyncGenerator<OperationDto, void, undefined> {
    const times = { since: timeOf(since), until: timeOf(until) };
    for (let cursor: string | undefined; ;) {
      const query = { ...filter, ...times, limit: PAGE, cursor };
      const page: OperationListDto = await this.#read('operations', query, options);
      yield* page.operations;
      if (page.next_cursor === null) return;
      cursor = page.next_cursor;
    }
  }

  /** Takes a binding that holds nothing out of the lists; refused (CONFLICT) while it is held. */
  softDeleteEntry(name: BindingName, options: CallOptions = {}): Promise<DeleteBindingResponseDto> {
    const query = { host: name.host };
    return this.#ask({
      method: 'DELETE',
      path: bindingPath(name),
      query,
      timeoutMs: READ_TIMEOUT_MS,
      ...options,
    });
  }

  /** Releases all that a job holds; where some of it fails, `details` of the error have `released` and `failed`. */
  releaseJob(jobid: number, options: CallOptions = {}): Promise<ReleaseJobResponseDto> {
    return this.#ask({
      method: 'DELETE',
      path: `jobs/${jobid}/bindings`,
      timeoutMs: this.#timeoutMs,
      ...options,
    });
  }

  /** Removes bindings that were not changed for so many hours; with `held`, also what is held. For administrators. */
  cleanupStaleEntries(
    request: { hours: number; dry_run?: boolean; held?: boolean },
    options: CallOptions = {},
  ): Promise<CleanupResponseDto> {
    const call = { method: 'POST' as const, path: 'admin/cleanup', body: request, repeatable: false };
    return this.#ask({ ...call, timeoutMs: CLEANUP_TIMEOUT_MS, ...options });
  }

  /**
   * What happens from now on, on any dms-client; after a connection is lost it is made again. What happened meanwhile is
   * not told: `onConnect` is the moment to ask for the state.
   */
  events(
    filter: EventFilter = {},
    options: EventOptions = {},
  ): AsyncGenerator<StateEventDto, void, undefined> {
    const { signal } = options;
    const either =
      signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
    return stateEvents(this.#service, filter, { ...options, signal: either });
  }

  /** The known nodes. For `admin` and `service`, as is {@link DmsClient.node}. */
  async nodes(options: CallOptions = {}): Promise<NodeDto[]> {
    return (await this.#read<NodeListDto>('nodes', {}, options)).nodes;
  }

  /** A node, what it sees now, and how that differs from the ledger. */
  node(host: string, options: CallOptions = {}): Promise<NodeDetailDto> {
    return this.#read(`nodes/${encodeURIComponent(host)}`, {}, options);
  }

  /** Whether the service's process runs. */
  isLive(options: CallOptions = {}): Promise<boolean> {
    return this.#service.answers('/health/live', { timeoutMs: HEALTH_TIMEOUT_MS, ...options });
  }

  /** Whether the service reaches its database and its broker. */
  isReady(options: CallOptions = {}): Promise<boolean> {
    return this.#service.answers('/health/ready', { timeoutMs: HEALTH_TIMEOUT_MS, ...options });
  }

  /** Lets go of all connections; events end. Mounts that were acquired are to be released before. */
  close(): void {
    this.#closed.abort();
    this.#service.connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #read<T>(path: string, query: Parameters, options: CallOptions): Promise<T> {
    return this.#ask({ method: 'GET', path, query, timeoutMs: READ_TIMEOUT_MS, ...options });
  }

  #ask<T>(call: Omit<ServiceCall, 'retries' | 'repeatable'> & { repeatable?: boolean }): Promise<T> {
    return this.#service.ask({ repeatable: true, ...call, retries: this.#retries });
  }

  #withDefaults(options: TargetCallOptions): TargetCallOptions & { timeoutMs: number; retries: number } {
    return {
      ...options,
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      retries: options.retries ?? this.#retries,
    };
  }
}

function bindingPath({ jobid, backup_target_id }: BindingName): string {
  return `bindings/${jobid}/${encodeURIComponent(backup_target_id)}`;
}

function timeOf(time: Date | string | undefined): string | undefined {
  return time instanceof Date ? time.toISOString() : time;
}
