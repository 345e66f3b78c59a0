import { Inject, Injectable } from '@nestjs/common';
import {
  defaultMountPath,
  type MountObservation,
  type MountObservationState,
  type TargetType,
} from '@app/contracts';
import { FenceService } from '../fence/fence.service';
import { knownMntId, type MountedAs, type TargetRecord } from '../fence/target-record';
import { heartbeatOwner } from '../kernel/heartbeat.interface';
import { MOUNT_PROBE, type MountProbe, probeOwner, type ProbeResult } from '../kernel/mount-probe.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../kernel/mount-table.interface';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { TARGET_PROVIDERS, type TargetProvider } from '../providers/target-provider.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { HungMounts } from './hung-mounts';

/** Where to look, and what should be there, if the node remembers nothing of the target. */
export interface LookHint {
  readonly mountPath: string | null;
  readonly type: TargetType | null;
  readonly source: string | null;
}

export const NO_HINT: LookHint = { mountPath: null, type: null, source: null };

/** What the mount table, the child records and the process table say, without a look into the mount. */
export interface Survey {
  readonly record: TargetRecord;
  readonly mountPath: string;
  /** Lowest first. */
  readonly layers: readonly MountEntry[];
  /** What should be there: as remembered, or as the hint says it. */
  readonly expected: MountedAs | null;
  /** Every layer is what is expected. */
  readonly ours: boolean;
  readonly childrenLeft: number;
  readonly daemonPid: number | null;
  /** Its daemon was found to hang. */
  readonly hung: boolean;
}

/** No layer is left, no daemon, and no child that could still mount. */
export function isGone({ layers, childrenLeft, daemonPid }: Survey): boolean {
  return layers.length === 0 && childrenLeft === 0 && daemonPid === null;
}

/** The one place where it is decided what state a target is in. */
@Injectable()
export class ObservationService {
  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(MOUNT_PROBE) private readonly probe: MountProbe,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
    @Inject(TARGET_PROVIDERS) private readonly providers: readonly TargetProvider[],
    private readonly fences: FenceService,
    private readonly hung: HungMounts,
  ) {}

  providerOf(type: TargetType): TargetProvider {
    const provider = this.providers.find((candidate) => candidate.type === type);
    if (provider === undefined) throw new Error(`No provider mounts targets of type ${type}`);
    return provider;
  }

  /** Children of earlier commands that may still act; while there are any, nothing of the target is settled. */
  async childrenLeft(targetId: string): Promise<number> {
    return await this.children.childrenLeft(targetId);
  }

  /** Whether a question of dms-server's own to the mount hangs in the kernel: it keeps the mount busy until it is answered. */
  async hasHangingQuestion(targetId: string): Promise<boolean> {
    const owners = [probeOwner(targetId), heartbeatOwner(targetId)];
    const left = await Promise.all(owners.map((owner) => this.children.childrenLeft(owner)));
    return left.some((count) => count > 0);
  }

  /** Reads what is known without touching the mount. */
  async survey(targetId: string, hint: LookHint = NO_HINT): Promise<Survey> {
    const record = this.fences.recordOf(targetId);
    const mountPath =
      record.mountedAs?.mountPath ??
      hint.mountPath ??
      defaultMountPath(this.settings.mountBases[0], targetId);
    const expected = record.mountedAs ?? expectedBy(hint, mountPath);
    const provider = expected === null ? null : this.providerOf(expected.type);
    const daemonPid = provider === null ? null : await provider.daemonPid(targetId);
    const layers = await this.table.layersAt(mountPath);
    const isClaim = record.mountedAs !== null && record.mountedAs.mntId === null;
    const fits = (layer: MountEntry): boolean =>
      expected !== null && provider !== null && provider.owns(layer, expected, isClaim);
    // File systems of one FUSE program look alike: without a memory only a daemon of this target is a proof.
    const proven = record.mountedAs !== null || layers.every((layer) => !isFuse(layer) || daemonPid !== null);
    return {
      record,
      mountPath,
      layers,
      expected,
      ours: layers.length > 0 && proven && layers.every(fits),
      childrenLeft: await this.children.childrenLeft(targetId),
      daemonPid,
      hung: this.hung.has(targetId, daemonPid),
    };
  }

  /** Surveys and looks into the mount, if it is ours. `probeMs` 0: it is not looked into, and so not known to answer. */
  async observe(
    targetId: string,
    hint: LookHint = NO_HINT,
    probeMs = this.settings.probeTimeoutMs,
  ): Promise<MountObservation> {
    return await this.observed(await this.survey(targetId, hint), probeMs);
  }

  /** As {@link observe}, for a mount that has answered a look just now. */
  async observeAnswered(targetId: string): Promise<MountObservation> {
    const survey = await this.survey(targetId);
    return toObservation(survey, stateWithoutProbe(survey) ?? 'mounted');
  }

  /** The observation of a survey, with a look into the mount. */
  async observed(survey: Survey, probeMs = this.settings.probeTimeoutMs): Promise<MountObservation> {
    const known = stateWithoutProbe(survey);
    if (known !== null) return toObservation(survey, known);
    const deadlineMs = Math.min(probeMs, this.settings.probeTimeoutMs);
    if (deadlineMs <= 0) return toObservation(survey, 'unknown');
    const answer = await this.probe.probe(survey.record.targetId, survey.mountPath, deadlineMs);
    return toObservation(survey, stateByProbe(answer));
  }
}

/** The state as far as it shows without a look into the mount; null where the mount has to answer. */
function stateWithoutProbe(survey: Survey): MountObservationState | null {
  const { layers, ours, childrenLeft, daemonPid, hung } = survey;
  if (childrenLeft > 0) return 'unknown';
  // A daemon that outlives its layer may still write to the target: it has to be ended by an unmount.
  if (layers.length === 0) return daemonPid === null ? 'absent' : 'broken';
  if (!ours) return 'foreign';
  if (layers.length > 1 || hung) return 'broken';
  return isFuse(layers[0]) && daemonPid === null ? 'broken' : null;
}

function stateByProbe(answer: ProbeResult): MountObservationState {
  switch (answer.kind) {
    case 'answers':
      return 'mounted';
    case 'dead':
      return 'broken';
    case 'silent':
    case 'withdrawn':
      return 'unknown';
  }
}

function toObservation(survey: Survey, state: MountObservationState): MountObservation {
  const top = survey.layers.at(-1) ?? null;
  const { flushProblem } = survey.record;
  const strayDaemons = top === null && survey.daemonPid !== null ? 1 : 0;
  return {
    state,
    mounted: top !== null,
    children_left: survey.childrenLeft + strayDaemons,
    backup_target_id: survey.record.targetId,
    mount_path: survey.mountPath,
    source: survey.expected?.source ?? null,
    type: survey.expected?.type ?? null,
    fstype: top?.fstype ?? null,
    mnt_id: top === null ? null : mntIdOf(top, survey.record.mountedAs),
    device: top?.device ?? null,
    read_only: top === null ? null : isReadOnly(top),
    layers: survey.layers.length,
    pid: survey.daemonPid,
    flush_verified: flushProblem === null ? null : false,
    ...(flushProblem === null ? {} : { flush_problem: flushProblem }),
    users: [],
    epoch: survey.record.epoch,
    operation_id: survey.record.operationId,
  };
}

/** The ledger knows a mount of ours by its first id. */
function mntIdOf(layer: MountEntry, mountedAs: MountedAs | null): number {
  return (mountedAs?.mntId === layer.mntId ? knownMntId(mountedAs) : null) ?? layer.mntId;
}

function expectedBy(hint: LookHint, mountPath: string): MountedAs | null {
  if (hint.type === null || hint.source === null) return null;
  return {
    type: hint.type,
    source: hint.source,
    mountPath,
    readOnly: false,
    mntId: null,
    device: null,
    fstype: null,
  };
}

function isReadOnly(layer: MountEntry): boolean {
  return layer.options.includes('ro') || layer.superOptions.includes('ro');
}

function isFuse(layer: MountEntry): boolean {
  return layer.fstype === 'fuse' || layer.fstype.startsWith('fuse.');
}
