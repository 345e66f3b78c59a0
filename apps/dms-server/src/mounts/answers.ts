import { type DmsError, type ErrorCode, type MountObservation } from '@app/contracts';
import { type CommandResult } from '../commands/command-result';

type Extras = Partial<Pick<CommandResult, 'acted' | 'error_code'>>;

/** A success, with what was seen at the end. */
export function success(text: string, mount: MountObservation, extras: Extras = {}): CommandResult {
  return {
    status: 'success',
    error_code: null,
    error_msg: null,
    success_msg: text,
    mountPath: mount.mount_path,
    epoch: mount.epoch,
    mount,
    acted: true,
    ...extras,
  };
}

/** An error, with what was seen at the end. */
export function problem(
  code: ErrorCode,
  text: string,
  mount: MountObservation,
  extras: Extras = {},
): CommandResult {
  return {
    status: 'error',
    error_code: code,
    error_msg: text,
    success_msg: null,
    mountPath: mount.mount_path,
    epoch: mount.epoch,
    mount,
    acted: true,
    ...extras,
  };
}

/**
 * An error that settles nothing: the sender has to fence before it can know.
 *
 * @param what what went wrong, as the beginning of a sentence
 */
export function uncertain(what: string, mount: MountObservation): CommandResult {
  return problem('TIMEOUT', `${what}; the outcome is unknown: ${reasonOf(mount)}`, {
    ...mount,
    state: 'unknown',
  });
}

/** True for an answer that {@link uncertain} made: it is no outcome to be remembered. */
export function isUncertain(result: CommandResult): boolean {
  return result.error_code === 'TIMEOUT' && result.acted;
}

function reasonOf({ children_left, mount_path, pid }: MountObservation): string {
  if (children_left > 0) return `${children_left} process(es) of an earlier command may still act`;
  const silence = `${mount_path ?? 'the mount'} gives no answer (DMS_PROBE_TIMEOUT says how long it may take)`;
  return pid === null ? silence : `${silence}; its FUSE daemon is process ${pid}: ${cureOf(pid)}`;
}

/** What an operator can do with a FUSE daemon that gives no answer. */
export function cureOf(pid: number): string {
  return (
    `"kill -CONT ${pid}" lets it go on if it was stopped; this ends it, with all that it has not stored: ` +
    `dms-server processes --kill ${pid} --force`
  );
}

/** A refusal with what was seen, for which nothing was done. */
export function refused(error: DmsError, mount: MountObservation): CommandResult {
  return problem(error.code, error.message, mount, { acted: false });
}
