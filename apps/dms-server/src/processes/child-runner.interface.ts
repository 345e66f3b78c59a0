import { type ErrorCode } from '@app/contracts';

export interface ChildCommand {
  /** The target that it is for; its pid and start time are recorded under it before the program starts. */
  readonly targetId: string;
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment; nothing is inherited. Default: PATH and LC_ALL=C only. */
  readonly env?: Readonly<Record<string, string>>;
  /** After this long its process group is killed and reaped in bounded time. */
  readonly deadlineMs: number;
  /** Ends it before its deadline, in the same manner. */
  readonly signal?: AbortSignal;
}

export type ChildOutcome =
  | {
      readonly kind: 'exited';
      readonly code: number | null;
      readonly signal: string | null;
      readonly output: string;
    }
  /** Killed at its deadline, or when its signal said so. `gone` is false if it is in D state and may still act: it is counted until it ends. */
  | { readonly kind: 'deadline'; readonly gone: boolean; readonly output: string }
  /** The program could not be started at all, e.g. it is not installed. `isShortage`: the node is short of what that needs. */
  | { readonly kind: 'not-started'; readonly reason: string; readonly isShortage?: boolean };

/** Runs short-lived programs (mount, umount, probes), each with a deadline, in its own process group. */
export interface ChildRunner {
  /** Never rejects for what the program does; `output` is standard output and error, at most 16 KiB of each end. */
  run(command: ChildCommand): Promise<ChildOutcome>;
  /**
   * Children of the target that may still live and that nobody waits for any more: given up at their deadline, or left
   * by an earlier dms-server. One whose `run` has not returned is not counted.
   */
  childrenLeft(targetId: string): Promise<number>;
  /** Kills the children left by an earlier dms-server and waits, for a bounded time, until they are gone. */
  endLeftOver(): Promise<void>;
}

/** The code of an error that a program could not be started. @param otherwise where the node is short of nothing */
export function codeOfNotStarted(
  { isShortage = false }: Extract<ChildOutcome, { kind: 'not-started' }>,
  otherwise: ErrorCode,
): ErrorCode {
  return isShortage ? 'NODE_FULL' : otherwise;
}

export const CHILD_RUNNER = Symbol('ChildRunner');
