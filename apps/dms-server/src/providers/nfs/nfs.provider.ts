import { Inject, Injectable } from '@nestjs/common';
import { DmsError, nfsOptionsFor, normalizeExport } from '@app/contracts';
import { type MountedAs } from '../../fence/target-record';
import { MOUNT_PROBE, type MountProbe } from '../../kernel/mount-probe.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../../kernel/mount-table.interface';
import { CHILD_RUNNER, type ChildOutcome, type ChildRunner } from '../../processes/child-runner.interface';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { deadlineIn } from '../deadlines';
import { LayerUnmounter, type TakeOutResult } from '../layer-unmounter';
import {
  type Deadline,
  type MountPlan,
  type TargetProvider,
  type UnmountPlan,
  type UnmountResult,
} from '../target-provider.interface';

/** What an unmount after a failed mount may take. */
const TAKE_BACK_MS = 10_000;
const FILE_SYSTEM_TYPES = ['nfs', 'nfs4'];

/** Mounts NFS exports with mount(8). */
@Injectable()
export class NfsProvider implements TargetProvider {
  readonly type = 'nfs';
  readonly #commandPrefix: readonly string[];

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(MOUNT_PROBE) private readonly probe: MountProbe,
    private readonly unmounter: LayerUnmounter,
  ) {
    this.#commandPrefix = (settings.rootwrap ?? '').split(/\s+/).filter((word) => word !== '');
  }

  async mount(plan: MountPlan, mountpoint: Promise<void>, deadline: Deadline): Promise<MountEntry> {
    await mountpoint;
    const words = [...this.#commandPrefix, ...mountCommand(plan)];
    const outcome = await this.children.run({
      targetId: plan.targetId,
      program: words[0],
      args: words.slice(1),
      deadlineMs: deadline.remainingMs(),
    });
    try {
      checkMounted(plan, outcome);
      const layer = (await this.table.layersAt(plan.mountPath)).at(-1);
      if (layer === undefined || !isExport(layer, plan.source)) {
        throw new DmsError('MOUNT_FAILED', `mount(8) reported success, but ${plan.source} is not mounted.`);
      }
      await this.#checkAnswers(plan, deadline);
      return layer;
    } catch (error) {
      await this.#takeOut(plan.targetId, plan.source, plan.mountPath, deadlineIn(TAKE_BACK_MS));
      throw error;
    }
  }

  async unmount({ targetId, mountedAs }: UnmountPlan, deadline: Deadline): Promise<UnmountResult> {
    const result = await this.#takeOut(targetId, mountedAs.source, mountedAs.mountPath, deadline);
    return result.kind === 'out' ? { kind: 'gone', flushVerified: null, detail: null } : result;
  }

  clear(): Promise<void> {
    return Promise.resolve();
  }

  daemonPid(): Promise<null> {
    return Promise.resolve(null);
  }

  owns(layer: MountEntry, mountedAs: MountedAs): boolean {
    return layer.mountPath === mountedAs.mountPath && isExport(layer, mountedAs.source);
  }

  #takeOut(targetId: string, source: string, mountPath: string, deadline: Deadline): Promise<TakeOutResult> {
    return this.unmounter.takeOut(
      {
        targetId,
        mountPath,
        isOurs: (layer) => isExport(layer, source),
        commandPrefix: this.#commandPrefix,
      },
      deadline,
    );
  }

  async #checkAnswers(plan: MountPlan, deadline: Deadline): Promise<void> {
    const limitMs = Math.min(deadline.remainingMs(), this.settings.probeTimeoutMs);
    const result = await this.probe.probe(plan.targetId, plan.mountPath, limitMs);
    if (result.kind === 'answers') return;
    const reason = result.kind === 'dead' ? result.reason : 'it did not answer in time';
    throw new DmsError('MOUNT_FAILED', `${plan.source} was mounted but cannot be read: ${reason}`);
  }
}

/** The words of the mount command; request and export were checked and hold no further option. */
export function mountCommand(plan: MountPlan): string[] {
  const options = nfsOptionsFor(plan.request.backup_target.nfs_mount_opts, plan.readOnly);
  return ['mount', '-t', 'nfs', '-o', options, '--', plan.source, plan.mountPath];
}

function checkMounted(plan: MountPlan, outcome: ChildOutcome): void {
  if (outcome.kind === 'deadline') {
    const left = outcome.gone ? '' : '; the mount command hangs in the kernel and may still act';
    throw new DmsError('TIMEOUT', `${plan.source} could not be mounted in time${left}.`);
  }
  if (outcome.kind === 'not-started') throw new DmsError('MOUNT_FAILED', outcome.reason);
  if (outcome.code === 0) return;
  const words = outcome.output.trim() || `mount ended with ${outcome.signal ?? outcome.code}`;
  throw new DmsError('MOUNT_FAILED', words);
}

function isExport(layer: MountEntry, source: string): boolean {
  return FILE_SYSTEM_TYPES.includes(layer.fstype) && normalizeExport(layer.source) === source;
}
