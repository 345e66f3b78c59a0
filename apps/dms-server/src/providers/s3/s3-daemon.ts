import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, quoted } from '@app/contracts';
import { atMost } from '../../commands/deadline';
import { MOUNT_PROBE, type MountProbe } from '../../kernel/mount-probe.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../../kernel/mount-table.interface';
import { CHILD_RUNNER, type ChildRunner } from '../../processes/child-runner.interface';
import { criticalLinesOf, lastWordsOf } from '../../processes/daemon-log';
import { waitUntil } from '../../processes/delay';
import { FuseProcessesService } from '../../processes/fuse-processes.service';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { deadlineIn } from '../deadlines';
import { LayerUnmounter } from '../layer-unmounter';
import { type Deadline, type MountPlan } from '../target-provider.interface';
import { chooseFuseProgram } from './fuse-program';
import { type S3Credentials } from './s3-credentials';
import { s3Environment } from './s3-environment';

/** A daemon that fails needs a moment to say why, and to end. */
const LAST_WORDS_MS = 500;
const SIGNAL_MS = 2_000;
const TAKE_BACK_MS = 5_000;

/** True for a layer that a FUSE program made. */
export function isFuse(layer: MountEntry): boolean {
  return layer.fstype === 'fuse' || layer.fstype.startsWith('fuse.');
}

/** Starts and ends the FUSE process of a bucket. */
@Injectable()
export class S3Daemon {
  readonly #log = new Logger('S3');

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(MOUNT_PROBE) private readonly probe: MountProbe,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
    private readonly processes: FuseProcessesService,
    private readonly unmounter: LayerUnmounter,
  ) {}

  /**
   * Starts the daemon and waits until its mount is in the mount table and has answered a readdir. Nobody was told of
   * the mount before: where it fails, the daemon can be ended by signals without losing anything.
   *
   * @param ready the credentials, which may still be on their way, when the mountpoint stands
   * @throws DmsError MOUNT_FAILED with the daemon's own words; what `ready` is rejected with
   */
  async start(plan: MountPlan, ready: Promise<S3Credentials>, deadline: Deadline): Promise<MountEntry> {
    const environment = ready.then((credentials) => s3Environment(credentials, plan, this.settings));
    environment.catch(() => undefined); // told by spawn(), unless that fails before it has waited for it
    await this.processes.spawn({
      targetId: plan.targetId,
      mountPath: plan.mountPath,
      ...(await chooseFuseProgram(this.settings.s3VaultFuseBinary)),
      environment,
    });
    try {
      const layer = await this.#ready(plan, deadline);
      if (!plan.readOnly || layer.options.includes('ro')) return layer;
      return await this.#makeReadOnly(plan, deadline);
    } catch (error) {
      const failure = await this.#withWords(error, plan);
      await this.#takeBack(plan);
      throw failure;
    }
  }

  /** Ends a daemon whose mount is gone, by one signal after the other; false if it does not end. */
  async end(
    targetId: string,
    mountPath: string,
    signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGKILL'],
  ): Promise<boolean> {
    for (const signal of signals) {
      if (await this.processes.isGone(targetId, mountPath)) return true;
      await this.processes.terminate(targetId, mountPath, signal);
      const gone = async (): Promise<true | null> =>
        (await this.processes.isGone(targetId, mountPath)) || null;
      if ((await waitUntil(SIGNAL_MS, gone)) !== null) return true;
    }
    return false;
  }

  async #ready(plan: MountPlan, deadline: Deadline): Promise<MountEntry> {
    const layer = await waitUntil(deadline.remainingMs(), async () => {
      const top = await this.#layer(plan.mountPath);
      if (top === null && (await this.processes.hasExited(plan.targetId, plan.mountPath))) {
        throw new DmsError('MOUNT_FAILED', 'The FUSE process ended before it had mounted the bucket.');
      }
      return top;
    });
    if (layer === null)
      throw new DmsError(
        'MOUNT_FAILED',
        `The FUSE process did not mount the bucket within ${deadline.setBy}.`,
      );
    const limited = atMost(deadline, this.settings.probeTimeoutMs, 'DMS_PROBE_TIMEOUT');
    const answer = await this.probe.probe(plan.targetId, plan.mountPath, limited.remainingMs());
    if (answer.kind === 'dead')
      throw new DmsError('MOUNT_FAILED', `The bucket cannot be read: ${answer.reason}.`);
    if (answer.kind !== 'answers')
      throw new DmsError('MOUNT_FAILED', `The bucket did not answer within ${limited.setBy}.`);
    // s3fs mounts before it has spoken to its server, and goes again where that fails: what answered may then have
    // been the bare directory.
    const after = await this.#layer(plan.mountPath);
    const hasEnded = await this.processes.hasExited(plan.targetId, plan.mountPath);
    if (after?.mntId !== layer.mntId || hasEnded) {
      throw new DmsError('MOUNT_FAILED', 'The FUSE process gave the mount up again.');
    }
    if (criticalLinesOf(await this.processes.logTail(plan.targetId)).length > 0) {
      throw new DmsError('MOUNT_FAILED', 'The FUSE process reported a critical error.');
    }
    return after;
  }

  async #makeReadOnly(plan: MountPlan, deadline: Deadline): Promise<MountEntry> {
    const outcome = await this.children.run({
      targetId: plan.targetId,
      program: 'mount',
      args: ['-c', '-o', 'remount,bind,ro,nosuid,nodev', plan.mountPath],
      deadlineMs: deadline.remainingMs(),
    });
    const layer = await this.#layer(plan.mountPath);
    if (layer?.options.includes('ro')) return layer;
    const words = outcome.kind === 'not-started' ? outcome.reason : outcome.output.trim();
    throw new DmsError('MOUNT_FAILED', `The bucket could not be mounted read-only: ${words || outcome.kind}`);
  }

  async #layer(mountPath: string): Promise<MountEntry | null> {
    return (await this.table.layersAt(mountPath)).findLast(isFuse) ?? null;
  }

  /** `error` with what the daemon said. */
  async #withWords(error: unknown, plan: MountPlan): Promise<unknown> {
    if (!(error instanceof DmsError)) return error;
    await this.processes.waitForExit(plan.targetId, plan.mountPath, LAST_WORDS_MS);
    const words = lastWordsOf(await this.processes.logTail(plan.targetId));
    return words === '' ? error : new DmsError(error.code, `${error.message} It said: ${quoted(words)}`);
  }

  async #takeBack(plan: MountPlan): Promise<void> {
    const hasEnded = await this.end(plan.targetId, plan.mountPath);
    const result = await this.unmounter.takeOut(
      { targetId: plan.targetId, mountPath: plan.mountPath, isOurs: isFuse },
      deadlineIn(TAKE_BACK_MS),
    );
    if (hasEnded && result.kind === 'out') await this.processes.forget(plan.targetId);
    else
      this.#log.error(`Target ${plan.targetId}: what is left of its failed mount could not be taken away.`);
  }
}
