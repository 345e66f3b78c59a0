import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { CHILD_RUNNER, type ChildOutcome, type ChildRunner } from '../processes/child-runner.interface';
import { type FuseConnections } from './fuse-connections.interface';

const CHILD_MS = 5_000;
/**
 * The control file system is not mounted everywhere. Where it is not, it is mounted in a mount namespace that ends with
 * this script: nothing of it shows on the machine, or stays.
 */
const MOUNT_CONTROL = String.raw`
abort=/sys/fs/fuse/connections/$1/abort
[ -e "$abort" ] || grep -q ' - fusectl ' /proc/self/mountinfo ||
  mount -t fusectl fusectl /sys/fs/fuse/connections || exit`;
const ABORT = `${MOUNT_CONTROL}
echo 1 >"$abort"`;
const IS_KEPT = `${MOUNT_CONTROL}
[ -e "$abort" ] && echo kept || echo gone`;

@Injectable()
export class FusectlConnections implements FuseConnections {
  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  async abort(targetId: string, device: string): Promise<void> {
    const minor = minorOf(device);
    if (minor === null) throw new DmsError('UNMOUNT_FAILED', `${device} is no FUSE connection.`);
    const outcome = await this.#run(`abort/${targetId}`, ABORT, minor);
    if (outcome.kind === 'exited' && outcome.code === 0) return;
    const reason = outcome.kind === 'not-started' ? outcome.reason : outcome.output.trim() || outcome.kind;
    throw new DmsError('UNMOUNT_FAILED', `The FUSE connection ${minor} could not be cut: ${reason}`);
  }

  async isKept(targetId: string, device: string): Promise<boolean> {
    const minor = minorOf(device);
    if (minor === null) return true;
    const outcome = await this.#run(`kept/${targetId}`, IS_KEPT, minor);
    return !(outcome.kind === 'exited' && outcome.output.trim() === 'gone');
  }

  /** @param owner no target: it says nothing of whether a command of the target has ended */
  #run(owner: string, script: string, minor: string): Promise<ChildOutcome> {
    return this.children.run({
      targetId: owner,
      program: 'unshare',
      args: ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', minor],
      deadlineMs: CHILD_MS,
    });
  }
}

function minorOf(device: string): string | null {
  return /^0:(\d+)$/.exec(device)?.[1] ?? null;
}
