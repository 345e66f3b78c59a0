import { randomUUID } from 'node:crypto';
import { type MountResponseDto, type UnmountResponseDto } from '../../../contracts/src/plain';
import { type DmsClient } from '../dms-client';
import { InternalError, MountLostError, ServiceError, UnmountedDirtyError } from '../errors';
import { type TargetCallOptions, type TargetRequest } from '../requests';
import { LeaseKeeper } from './lease-keeper';
import { MountWatch } from './mount-watch';
import { verifyMount } from './verify-mount';

/** An unmount is tried again for this long: nobody else ends the hold. */
const RELEASE_TIMEOUT_MS = 120_000;
const RELEASE_RETRIES = 100;

export interface AcquireOptions extends TargetCallOptions {
  /**
   * Whether it is made sure that the target is mounted where this process looks, before it is given out; to be false
   * where the caller does not run on the node. Default: true.
   */
  readonly verify?: boolean;
  /** Where this process sees the mount, if not at the node's path: in a container, say. */
  readonly path?: string;
  /** Milliseconds for the unmount, repetitions included. Default: 120 000. */
  readonly releaseTimeoutMs?: number;
  /** Told what the unmount came to: that the service still takes the mount away, say. */
  readonly onReleased?: (response: UnmountResponseDto) => void;
}

/** A hold on a mount, to be released. */
export class AcquiredMount implements AsyncDisposable {
  readonly #controller = new AbortController();
  readonly #watch: MountWatch;
  readonly #lease: LeaseKeeper | null;
  readonly #signal: AbortSignal;
  #lost: MountLostError | null = null;
  #released: Promise<UnmountResponseDto> | null = null;
  #ended: UnmountResponseDto | null = null;

  private constructor(
    private readonly client: DmsClient,
    private readonly request: TargetRequest,
    /** What the service answered to the mount. */
    readonly response: MountResponseDto,
    private readonly options: AcquireOptions,
  ) {
    const { host, job, backup_target, lease_s: leaseS } = request;
    const name = { jobid: job.jobid, backup_target_id: backup_target.id, host };
    this.#signal =
      options.signal === undefined
        ? this.#controller.signal
        : AbortSignal.any([this.#controller.signal, options.signal]);
    this.#watch = new MountWatch(
      {
        events: (watch) => client.events({ host, backup_target_id: backup_target.id }, watch),
        status: (signal) => client.getMountStatus(name, { signal }),
      },
      (problem) => this.#lose(problem),
    );
    const lost = (error: Error): void => this.#lose(error.message);
    this.#lease = leaseS
      ? new LeaseKeeper(leaseS, (signal) => client.renew(name, { lease_s: leaseS, signal }), lost)
      : null;
  }

  /**
   * Mounts, under a hold of its own if the request names none, and makes sure where. A mount that fails, or whose
   * outcome is unknown, is given back first.
   *
   * @throws ServiceError; NotMountedError; the reason of the signal
   */
  static async acquire(
    client: DmsClient,
    given: TargetRequest,
    options: AcquireOptions,
  ): Promise<AcquiredMount> {
    const request = { ...given, hold_id: given.hold_id ?? `hold-${randomUUID()}` };
    options.signal?.throwIfAborted();
    let mount: AcquiredMount;
    try {
      mount = new AcquiredMount(client, request, await client.mount(request, options), options);
    } catch (error) {
      if (mayHold(error)) await unmount(client, request, options).catch(() => undefined);
      throw error;
    }
    if (options.verify === false) return mount;
    try {
      await mount.verify();
      return mount;
    } catch (error) {
      // What keeps the target from being given out is to be told, whatever becomes of the rest.
      await mount.release().catch(() => undefined);
      throw error;
    }
  }

  /** Where this process sees the target. */
  get mountPath(): string {
    return this.options.path ?? this.response.mount_path;
  }

  /** Aborted when the mount is lost (the reason is a {@link MountLostError}), or by the caller's own signal. */
  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Null while the mount is good, as far as is known. */
  get lost(): MountLostError | null {
    return this.#lost;
  }

  /** What the service answered to the unmount; null before that, or where it did not answer. */
  get ended(): UnmountResponseDto | null {
    return this.#ended;
  }

  /**
   * Makes sure again that the target is mounted where this process looks.
   *
   * @throws NotMountedError
   */
  verify(): Promise<void> {
    return verifyMount(this.response, this.mountPath);
  }

  /**
   * Ends the hold. Called again, it gives the same result.
   *
   * @throws MountLostError where the mount was lost; UnmountedDirtyError where what was written last may be lost;
   *   ServiceError where it is not known that the hold ended
   */
  release(): Promise<UnmountResponseDto> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  async #release(): Promise<UnmountResponseDto> {
    await Promise.all([this.#watch.stop(), this.#lease?.stop()]);
    const response = await unmount(this.client, this.request, this.options);
    this.#ended = response;
    this.options.onReleased?.(response);
    if (this.#lost !== null) throw this.#lost;
    if (response.error_code !== 'UNMOUNTED_DIRTY') return response;
    throw new UnmountedDirtyError('UNMOUNTED_DIRTY', response.success_msg ?? 'Not everything was flushed', {
      operationId: response.operation_id,
    });
  }

  #lose(problem: string): void {
    const { backup_target, host } = this.request;
    if (this.#lost !== null) return;
    this.#lost = new MountLostError('CONFLICT', `${problem} (target ${backup_target.id} on ${host})`);
    this.#controller.abort(this.#lost);
  }
}

/** Ends a hold, without regard to the caller's signal, which is aborted already, perhaps. */
function unmount(
  client: DmsClient,
  request: TargetRequest,
  { releaseTimeoutMs = RELEASE_TIMEOUT_MS }: AcquireOptions,
): Promise<UnmountResponseDto> {
  return client.unmount(request, { timeoutMs: releaseTimeoutMs, retries: RELEASE_RETRIES });
}

/** The mount may have been granted, or may yet be: all but what the service said to have failed. */
function mayHold(error: unknown): boolean {
  return !(error instanceof ServiceError) || error.code === 'TIMEOUT' || error instanceof InternalError;
}
