import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import {
  CHILD_RUNNER,
  codeOfNotStarted,
  type ChildOutcome,
  type ChildRunner,
} from '../processes/child-runner.interface';
import { type MountProbe, type ProbeResult } from './mount-probe.interface';

/** The words with which a mount is looked into. */
export type ProbeCommand = (mountPath: string) => readonly [string, ...string[]];

const FIRST_ENTRY: ProbeCommand = (mountPath) =>
  ['find', mountPath, '-mindepth', '1', '-maxdepth', '1', '-print', '-quit']; // prettier-ignore

/** The server said no to root (an NFS export that maps root away): it has answered. */
const REFUSED = /Permission denied/;

/** Lists the first entry of a mount with find(1). */
@Injectable()
export class MountProbeAdapter implements MountProbe {
  /** The probe that runs for a target: a second one waits for it, so that at most one can hang. */
  readonly #running = new Map<string, Promise<ProbeResult>>();

  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  async probe(
    targetId: string,
    mountPath: string,
    deadlineMs: number,
    command = FIRST_ENTRY,
  ): Promise<ProbeResult> {
    const end = Date.now() + deadlineMs;
    for (let other = this.#running.get(targetId); other; other = this.#running.get(targetId)) {
      await other.catch(() => undefined); // its own caller is told
    }
    const probe = this.#probeAlone(targetId, command(mountPath), end - Date.now());
    this.#running.set(targetId, probe);
    try {
      return await probe;
    } finally {
      this.#running.delete(targetId);
    }
  }

  async #probeAlone(
    targetId: string,
    [program, ...args]: readonly [string, ...string[]],
    deadlineMs: number,
  ): Promise<ProbeResult> {
    if (deadlineMs <= 0 || (await this.children.childrenLeft(targetId)) > 0) return { kind: 'silent' };
    const outcome = await this.children.run({ targetId, program, args, deadlineMs });
    return interpretProbe(outcome);
  }
}

/** What the end of the listing child says about the mount. */
export function interpretProbe(outcome: ChildOutcome): ProbeResult {
  if (outcome.kind === 'deadline') return { kind: 'silent' };
  if (outcome.kind === 'not-started') {
    throw new DmsError(
      codeOfNotStarted(outcome, 'INTERNAL'),
      `The node cannot look into mounts: ${outcome.reason}`,
    );
  }
  if (outcome.code === 0 || REFUSED.test(outcome.output)) return { kind: 'answers' };
  // "find: 'PATH': Transport endpoint is not connected": the errno's text is what follows the last colon.
  const line = outcome.output.trim().split('\n').at(-1) ?? '';
  const reason = line.slice(line.lastIndexOf(': ') + 2).trim();
  return {
    kind: 'dead',
    reason: reason === '' ? `listing it ended with ${outcome.signal ?? outcome.code}` : reason,
  };
}
