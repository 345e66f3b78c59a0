import { type ChildOutcome } from '../../processes/child-runner.interface';

/**
 * Asks the server whether root may write (access(2)). If it says no, the export may be read-only, or root is nobody there
 * (root_squash) and other users may write. So it is asked to set the time of the last access to what it is: a server
 * refuses that with EROFS for a read-only export, whoever asks, and else with EPERM. Nothing is written in any case.
 */
const SCRIPT = 'test -w "$1" || exec touch -a -c -r "$1" -- "$1"';

/** The words that ask whether an NFS mount can be written to. */
export function writeCheckOf(mountPath: string): { readonly program: string; readonly args: string[] } {
  return { program: '/bin/sh', args: ['-c', SCRIPT, 'sh', mountPath] };
}

/** True only if it is certain that nobody on this node can write. */
export function saysReadOnly(outcome: ChildOutcome): boolean {
  return outcome.kind === 'exited' && outcome.code !== 0 && /: Read-only file system$/m.test(outcome.output);
}
