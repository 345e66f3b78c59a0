import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { CHILD_RUNNER, codeOfNotStarted, type ChildRunner } from '../processes/child-runner.interface';
import { type Heartbeat, type HeartbeatAnswer, heartbeatOwner } from './heartbeat.interface';

/** Asks with statfs(2), which every FUSE daemon is asked for and s3fs answers without a word to its server. */
@Injectable()
export class StatfsHeartbeat implements Heartbeat {
  /** Questions that wait for their answers. */
  readonly #questions = new Map<string, { abort: AbortController; ended: Promise<unknown> }>();

  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  async ask(targetId: string, mountPath: string, deadlineMs: number): Promise<HeartbeatAnswer> {
    const abort = new AbortController();
    const answer = this.#ask(targetId, mountPath, deadlineMs, abort.signal);
    const question = { abort, ended: answer.catch(() => undefined) };
    this.#questions.set(targetId, question);
    try {
      return await answer;
    } finally {
      if (this.#questions.get(targetId) === question) this.#questions.delete(targetId);
    }
  }

  async withdraw(targetId: string): Promise<void> {
    const question = this.#questions.get(targetId);
    question?.abort.abort();
    await question?.ended;
  }

  async #ask(
    targetId: string,
    mountPath: string,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<HeartbeatAnswer> {
    const owner = heartbeatOwner(targetId);
    if (deadlineMs <= 0 || (await this.children.childrenLeft(owner)) > 0) return 'silent';
    const outcome = await this.children.run({
      targetId: owner,
      program: 'stat',
      args: ['--file-system', '--format=%i', '--', mountPath],
      deadlineMs,
      signal,
    });
    if (outcome.kind === 'deadline') return signal.aborted ? 'withdrawn' : 'silent';
    if (outcome.kind === 'not-started') {
      throw new DmsError(
        codeOfNotStarted(outcome, 'INTERNAL'),
        `The node cannot ask FUSE daemons: ${outcome.reason}`,
      );
    }
    return outcome.code === 0 ? 'answers' : 'dead';
  }
}
