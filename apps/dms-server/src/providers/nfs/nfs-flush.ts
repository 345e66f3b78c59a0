import { Inject, Injectable } from '@nestjs/common';
import { CHILD_RUNNER, type ChildOutcome, type ChildRunner } from '../../processes/child-runner.interface';
import { deadlineIn } from '../deadlines';
import { type Deadline } from '../target-provider.interface';

/**
 * - `failed`: the server refused data, which the kernel tells once only;
 * - `hangs`: data may wait for the server;
 * - `unknown`: the flush was not begun, so that the next one still tells how it is.
 */
export type Flush =
  | { readonly kind: 'done'; readonly detail: null }
  | { readonly kind: 'failed' | 'unknown' | 'hangs'; readonly detail: string };

/** sync(1), or what was to call it, could not open the mount. */
const NOT_BEGUN = /^sync: error opening |^(setpriv|stat): /m;
/** The server does not let root open the mount: root is nobody there, and the directory is private to its owner. */
const DENIED = /^sync: error opening .*: Permission denied$/m;

/**
 * Flushes as the owner of the exported directory, who may open it. All of the mount is flushed, whoever wrote it. Local
 * directories above it must stay passable, so that DAC_OVERRIDE is kept; an NFS server is told the user alone. Not by
 * exec: statuses of setpriv(1) mean something else to who runs children. One over 128 is a signal, which the owner may send.
 */
const AS_OWNER = `
  owner=$(stat --format=%u -- "$1") &&
  setpriv --reuid="$owner" --inh-caps=-all,+dac_override --ambient-caps=-all,+dac_override \\
    sync --file-system -- "$1"
  status=$?
  [ "$status" -le 128 ] || exit "$status"
  [ "$status" -eq 0 ] || exit 1`;

/** Has everything written to the server that was written to an NFS mount. */
@Injectable()
export class NfsFlush {
  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  /** Takes half of the time at most: the other half is the unmount's own. */
  async flush(targetId: string, mountPath: string, whole: Deadline): Promise<Flush> {
    const deadline = deadlineIn(whole.remainingMs() / 2, whole.setBy);
    const run = (program: string, args: readonly string[]): Promise<ChildOutcome> =>
      this.children.run({ targetId, program, args, deadlineMs: deadline.remainingMs() });
    const asRoot = await run('sync', ['--file-system', '--', mountPath]);
    const isDenied = asRoot.kind === 'exited' && asRoot.code !== 0 && DENIED.test(asRoot.output);
    return flushOf(isDenied ? await run('/bin/sh', ['-c', AS_OWNER, 'sh', mountPath]) : asRoot, deadline);
  }
}

function flushOf(outcome: ChildOutcome, { setBy }: Deadline): Flush {
  switch (outcome.kind) {
    case 'exited': {
      if (outcome.code === 0) return { kind: 'done', detail: null };
      const words = outcome.output.trim() || `sync ended with ${outcome.signal ?? outcome.code}`;
      const isCutShort = outcome.signal !== null || (outcome.code ?? 0) > 128;
      return isCutShort || NOT_BEGUN.test(outcome.output)
        ? unknown(words)
        : { kind: 'failed', detail: words };
    }
    case 'not-started':
      return unknown(outcome.reason);
    case 'deadline':
      return {
        kind: 'hangs',
        detail: `the server has not taken all data within half of ${setBy}, and data may not be written yet`,
      };
  }
}

/** Nothing is known to be lost: the unmount itself writes what is left, and tells nobody how that went. */
function unknown(why: string): Flush {
  const detail = `it could not be checked whether the NFS server has all data (${why})`;
  return { kind: 'unknown', detail };
}
