import { type DmsClient } from '../dms-client';
import { MountLostError } from '../errors';
import { type TargetRequest } from '../requests';
import { type AcquiredMount, type AcquireOptions } from './acquired-mount';
import { ENDING_SIGNALS, ProcessSignals } from './process-signals';

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
  const { lost } = mount;
  if (lost !== null)
    throw new MountLostError(lost.code, lost.message, 'error' in outcome ? { cause: outcome.error } : {});
  if (failure === null) {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }
  if (!('error' in outcome)) throw failure.error;
  const message = `${textOf(outcome.error)}; and the unmount failed: ${textOf(failure.error)}`;
  throw new AggregateError([outcome.error, failure.error], message, { cause: outcome.error });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
