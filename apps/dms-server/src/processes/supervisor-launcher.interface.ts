/** A program with its arguments. */
export type Words = readonly [string, ...string[]];

/**
 * Keeps what it launches apart from dms-server, so that it outlives it however dms-server ends. Standard input and the
 * environment reach the program as they are given.
 */
export interface SupervisorLauncher {
  /** The words with which `words` is to be started, detached, for a target. */
  wrap(targetId: string, words: Words): Words;
}

export const SUPERVISOR_LAUNCHER = Symbol('SupervisorLauncher');
