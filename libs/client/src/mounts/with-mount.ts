import { type DmsClient } from '../dms-client';
import { errorOf, MountLostError, ServiceError, UnmountedDirtyError } from '../errors';
import { type TargetRequest } from '../requests';
import { type AcquiredMount, type AcquireOptions } from './acquired-mount';
import { ENDING_SIGNALS, ProcessSignals } from './process-signals';

/** What a system call into a mount gets whose daemon is gone, or whose export was removed. EIO alone has other causes, too. */
const DEAD_MOUNT: ReadonlySet<unknown> = new Set(['ENOTCONN', 'ESTALE', 'ECONNABORTED']);
/** System calls on sockets, which fail with some of the same codes. */
const SOCKET_CALL =
  /^(connect|accept|bind|listen|shutdown|send\w*|recv\w*|get(addrinfo|peername|sockname)|query\w*)$/;
const MAX_CAUSES = 8;

export interface WithMountOptions extends AcquireOptions {
  /**
   * Signals that are kept from ending this process before the unmount: true for INT, TERM and HUP. The first aborts the
   * callback's signal, a second one ends the waiting for the callback; after the unmount the signal takes its effect.
   */
  readonly processSignals?: boolean | readonly NodeJS.Signals[];
}

/** What a callback gets. */
export interface MountScope {
  /** Where the target is, for this process. */
  readonly mountPath: string;
  /** Aborted when the mount is lost, by the caller's signal, or by a signal of the process. */
  readonly signal: AbortSignal;
  readonly mount: AcquiredMount;
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** As {@link DmsClient.withMount}. */
export async function withMount<T>(
  client: DmsClient,
  request: TargetRequest,
  use: (scope: MountScope) => T | Promise<T>,
  { processSignals = false, ...options }: WithMountOptions,
): Promise<T> {
  const names = processSignals === true ? ENDING_SIGNALS : processSignals || [];
  const caught = new ProcessSignals(names);
  try {
    const signal =
      options.signal === undefined ? caught.signal : AbortSignal.any([caught.signal, options.signal]);
    const mount = await client.acquire(request, { ...options, signal });
    const outcome = await Promise.race([outcomeOf(mount, use), gaveUp(caught)]);
    return await released(mount, outcome);
  } finally {
    caught.restore();
  }
}

async function outcomeOf<T>(
  mount: AcquiredMount,
  use: (scope: MountScope) => T | Promise<T>,
): Promise<Outcome<T>> {
  try {
    mount.signal.throwIfAborted();
    return { value: await use({ mountPath: mount.mountPath, signal: mount.signal, mount }) };
  } catch (error) {
    return { error };
  }
}

async function gaveUp({ impatience, signal }: ProcessSignals): Promise<{ error: unknown }> {
  await impatience;
  return { error: signal.reason };
}

/** Unmounts, and gives what the callback came to. */
async function released<T>(mount: AcquiredMount, outcome: Outcome<T>): Promise<T> {
  const failure = await mount.release().then(
    () => null,
    (error: unknown) => ({ error }),
  );
  const lost = lossOf(mount, outcome);
  if (lost !== null) throw lost;
  if (failure === null) {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }
  if (!('error' in outcome)) throw onlyUnmountIsOpen(failure.error);
  const isDirty = failure.error instanceof UnmountedDirtyError;
  const message = `${textOf(outcome.error)}; and ${isDirty ? '' : 'the unmount failed: '}${textOf(failure.error)}`;
  throw new AggregateError([outcome.error, failure.error], message, { cause: outcome.error });
}

/** The mount was lost: as the service told, or as the callback met it before the service had noticed. */
function lossOf(mount: AcquiredMount, outcome: Outcome<unknown>): MountLostError | null {
  const { lost, ended } = mount;
  const isDirty = ended?.error_code === 'UNMOUNTED_DIRTY';
  const met = 'error' in outcome ? deadMountIn(outcome.error, mount.mountPath, isDirty) : null;
  if (lost === null && met === null) return null;
  const told = ended?.success_msg ? `: ${ended.success_msg}` : '';
  const message = lost?.message ?? `The mount at ${mount.mountPath} was lost (${met})${told}`;
  return new MountLostError('CONFLICT', message, {
    operationId: ended?.operation_id ?? mount.response.operation_id,
    ...('error' in outcome ? { cause: outcome.error } : {}),
  });
}

/** The code by which a call into a dead mount failed, in the error or in what it was caused by; null: there is none. */
function deadMountIn(error: unknown, mountPath: string, isDirty: boolean): string | null {
  let at = error;
  for (let level = 0; level < MAX_CAUSES && typeof at === 'object' && at !== null; level += 1) {
    const { code, syscall, path, cause } = at as Partial<NodeJS.ErrnoException>;
    const isOfFile = syscall !== undefined && !SOCKET_CALL.test(syscall);
    const isThere = path === undefined || path === mountPath || path.startsWith(`${mountPath}/`);
    if (isOfFile && isThere && (DEAD_MOUNT.has(code) || (isDirty && code === 'EIO'))) return String(code);
    at = cause;
  }
  return null;
}

/** The callback has done its work, which is not to be done again for an unmount that the service did not answer. */
function onlyUnmountIsOpen(error: unknown): unknown {
  if (!(error instanceof ServiceError) || error instanceof UnmountedDirtyError) return error;
  const message = `The work is done, and only the unmount is open: ${error.message}`;
  const { operationId, details, retryAfterS } = error;
  return errorOf(error.code, message, { operationId, details, retryAfterS, cause: error });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
