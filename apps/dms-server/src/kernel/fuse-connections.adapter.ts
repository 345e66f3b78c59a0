import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { type FuseConnections } from './fuse-connections.interface';

const ABORT_MS = 5_000;
/**
 * The control file system is not mounted everywhere. Where it is not, it is mounted in a mount namespace that ends with
 * this script: nothing of it shows on the machine, or stays.
 */
const ABORT = String.raw`
abort=/sys/fs/fuse/connections/$1/abort
[ -e "$abort" ] || mount -t fusectl fusectl /sys/fs/fuse/connections || exit
echo 1 >"$abort"`;

@Injectable()
export class FusectlConnections implements FuseConnections {
  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  async abort(targetId: string, device: string): Promise<void> {
    const minor = /^0:(\d+)$/.exec(device)?.[1];
    if (minor === undefined) throw new DmsError('UNMOUNT_FAILED', `${device} is no FUSE connection.`);
    const outcome = await this.children.run({
      // It says nothing of whether a command of the target has ended.
      targetId: `abort/${targetId}`,
      program: 'unshare',
      args: ['--mount', '--propagation', 'private', '/bin/sh', '-c', ABORT, 'sh', minor],
      deadlineMs: ABORT_MS,
    });
    if (outcome.kind === 'exited' && outcome.code === 0) return;
    const reason = outcome.kind === 'not-started' ? outcome.reason : outcome.output.trim() || outcome.kind;
    throw new DmsError('UNMOUNT_FAILED', `The FUSE connection ${minor} could not be cut: ${reason}`);
  }
}
