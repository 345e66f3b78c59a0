import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import {
  CHILD_RUNNER,
  codeOfNotStarted,
  type ChildOutcome,
  type ChildRunner,
} from '../processes/child-runner.interface';
import { type MountProbe, probeOwner, type ProbeResult } from './mount-probe.interface';

/** The words with which a mount is looked into. */
export type ProbeCommand = (mountPath: string) => readonly [string, ...string[]];

/**
 * Asks for a name that nobody has: a FUSE program has to ask its server then, each time, and about one object alone. For the
 * first entry of a listing s3fs asks for every object of the directory, each with a request of its own.
 */
const UNKNOWN_NAME: ProbeCommand = (mountPath) =>
  ['stat', '--format=', '--', join(mountPath, `.dms-probe-${randomUUID()}`)]; // prettier-ignore

/**
 * There is no such name, or the server said no to root (an NFS export that maps root away): it has answered. No such
 * directory as the mountpoint is not asked for: whether a mount stands there, the mount table says.
 */
const ANSWERED = /(Permission denied|No such file or directory)$/;

/** Looks into a mount with stat(1), or with the words of its kind. */
@Injectable()
export class MountProbeAdapter implements MountProbe {
  /** The probe that runs for a target: a second one waits for it, so that at most one can hang. */
  readonly #running = new Map<string, { abort: AbortController; result: Promise<ProbeResult> }>();
  /** Targets that may not be probed now. */
  readonly #keptOut = new Set<string>();

  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  async probe(
    targetId: string,
    mountPath: string,
    deadlineMs: number,
    command = UNKNOWN_NAME,
  ): Promise<ProbeResult> {
    const end = Date.now() + deadlineMs;
    for (let other = this.#running.get(targetId); other; other = this.#running.get(targetId)) {
      await other.result.catch(() => undefined); // its own caller is told
    }
    if (this.#keptOut.has(targetId)) return { kind: 'withdrawn' };
    const abort = new AbortController();
    const result = this.#probeAlone(targetId, command(mountPath), end - Date.now(), abort.signal);
    this.#running.set(targetId, { abort, result });
    try {
      return await result;
    } finally {
      this.#running.delete(targetId);
    }
  }

  async keepOut<T>(targetId: string, work: () => Promise<T>): Promise<T> {
    this.#keptOut.add(targetId);
    try {
      const running = this.#running.get(targetId);
      running?.abort.abort();
      await running?.result.catch(() => undefined); // its own caller is told
      return await work();
    } finally {
      this.#keptOut.delete(targetId);
    }
  }

  async #probeAlone(
    targetId: string,
    [program, ...args]: readonly [string, ...string[]],
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const owner = probeOwner(targetId);
    if (deadlineMs <= 0 || (await this.children.childrenLeft(owner)) > 0)
      return { kind: 'silent', notAsked: true };
    const outcome = await this.children.run({ targetId: owner, program, args, deadlineMs, signal });
    return signal.aborted && outcome.kind === 'deadline' ? { kind: 'withdrawn' } : interpretProbe(outcome);
  }
}

/** What the end of the child says about the mount. */
export function interpretProbe(outcome: ChildOutcome): ProbeResult {
  if (outcome.kind === 'deadline') return { kind: 'silent' };
  if (outcome.kind === 'not-started') {
    throw new DmsError(
      codeOfNotStarted(outcome, 'INTERNAL'),
      `The node cannot look into mounts: ${outcome.reason}`,
    );
  }
  if (outcome.code === 0 || ANSWERED.test(outcome.output.trim())) return { kind: 'answers' };
  // "stat: cannot statx 'PATH': Transport endpoint is not connected": the errno's text is what follows the last colon.
  const line = outcome.output.trim().split('\n').at(-1) ?? '';
  const reason = line.slice(line.lastIndexOf(': ') + 2).trim();
  return {
    kind: 'dead',
    reason: reason === '' ? `looking into it ended with ${outcome.signal ?? outcome.code}` : reason,
  };
}
