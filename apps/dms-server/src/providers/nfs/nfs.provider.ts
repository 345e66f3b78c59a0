import { Inject, Injectable } from '@nestjs/common';
import { DmsError, nfsOptionsFor, normalizeExport } from '@app/contracts';
import { atMost } from '../../commands/deadline';
import { type MountedAs } from '../../fence/target-record';
import { MOUNT_PROBE, type MountProbe, probeOwner } from '../../kernel/mount-probe.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../../kernel/mount-table.interface';
import {
  CHILD_RUNNER,
  codeOfNotStarted,
  type ChildOutcome,
  type ChildRunner,
} from '../../processes/child-runner.interface';
import { type HarshStep, type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { deadlineIn } from '../deadlines';
import { type LayerToTakeOut, LayerUnmounter, type TakeOutResult } from '../layer-unmounter';
import {
  type Deadline,
  type MountPlan,
  type TargetProvider,
  type UnmountPlan,
  type UnmountResult,
} from '../target-provider.interface';
import { type Flush, NfsFlush } from './nfs-flush';
import { NFS_PING, type NfsPing, type PingAnswer } from './nfs-ping.interface';
import { isNfs, isTcp, type NfsServer, serverOf } from './nfs-server';
import { ServerBreaker } from './server-breaker';
import { saysReadOnly, writeCheckOf } from './write-check';

/** What an unmount after a failed mount may take. */
const TAKE_BACK_MS = 10_000;
const ANSWERS: PingAnswer = { kind: 'answers' };
/** mount.nfs gave up by itself. */
const GAVE_UP = /timed out/i;

/** Mounts NFS exports with mount(8), of servers that answer. */
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
    private readonly breaker: ServerBreaker,
    @Inject(NFS_PING) private readonly nfsPing: NfsPing,
    private readonly nfsFlush: NfsFlush,
  ) {
    this.#commandPrefix = (settings.rootwrap ?? '').split(/\s+/).filter((word) => word !== '');
  }

  async mount(plan: MountPlan, makeMountpoint: () => Promise<void>, deadline: Deadline): Promise<MountEntry> {
    const outcome = await this.#callMount(plan, makeMountpoint, deadline);
    let layer: MountEntry | undefined;
    try {
      checkMounted(plan, outcome, deadline);
      // Whatever source it shows: a path that is a symbolic link on the server is shown as what it leads to.
      layer = (await this.table.layersAt(plan.mountPath)).findLast(isNfs);
      if (layer === undefined) {
        throw new DmsError('MOUNT_FAILED', `mount(8) reported success, but ${plan.source} is not mounted.`);
      }
      await this.#checkAnswers(plan, deadline);
      if (!plan.readOnly) await this.#checkWritable(plan, deadline);
      return layer;
    } catch (error) {
      const { targetId, mountPath } = plan;
      await this.#takeOut({ targetId, mountPath }, madeBy(plan, layer), deadlineIn(TAKE_BACK_MS));
      throw error;
    }
  }

  #forProbe(deadline: Deadline): Deadline {
    return atMost(deadline, this.settings.probeTimeoutMs, 'DMS_PROBE_TIMEOUT');
  }

  /** @throws DmsError MOUNT_FAILED where the server does not answer: then nothing is made, and mount(8) not called */
  async #callMount(
    plan: MountPlan,
    makeMountpoint: () => Promise<void>,
    deadline: Deadline,
  ): Promise<ChildOutcome> {
    const options = (plan.request.backup_target.nfs_mount_opts ?? '').split(',');
    const server = serverOf(plan.source, options);
    const attempt = await this.breaker.attempt(
      server.name,
      plan.targetId,
      deadline,
      async () => {
        const answer = isTcp(options) ? await this.#ping(server, deadline) : ANSWERS;
        if (answer.kind !== 'answers') return answer;
        await makeMountpoint();
        return await this.#runMount(plan, deadline);
      },
      isAnswer,
    );
    if (attempt.kind === 'refused') throw notTried(plan, attempt.reason);
    if (attempt.result.kind === 'silent')
      throw notTried(plan, `NFS server ${server.name} ${attempt.result.reason}`);
    return attempt.result;
  }

  async #ping({ address, port }: NfsServer, deadline: Deadline): Promise<PingAnswer> {
    return await this.nfsPing.ping(address, port, this.#forProbe(deadline));
  }

  async #runMount(plan: MountPlan, deadline: Deadline): Promise<ChildOutcome> {
    const words = [...this.#commandPrefix, ...mountCommand(plan)];
    return await this.children.run({
      targetId: plan.targetId,
      program: words[0],
      args: words.slice(1),
      deadlineMs: deadline.remainingMs(),
    });
  }

  /**
   * Has everything written to the server first: umount(8) returns while data of files that nobody has open any more is
   * still on its way, and may never arrive. Where the server does not answer, the mount is left as it is.
   */
  async unmount(
    { targetId, mountedAs, flushFailed }: UnmountPlan,
    deadline: Deadline,
  ): Promise<UnmountResult> {
    const { mountPath } = mountedAs;
    let lastFlush: Flush | null = null;
    const beforeUmount = async (): Promise<string | null> => {
      const flush = await this.nfsFlush.flush(targetId, mountPath, deadline);
      if (flush.kind === 'failed') await flushFailed?.(flush.detail);
      // The kernel tells a failure once: the next flush is done, and what failed is lost all the same.
      if (lastFlush?.kind !== 'failed') lastFlush = flush;
      return flush.kind === 'hangs' ? flush.detail : null;
    };
    const isClaim = mountedAs.mntId === null;
    const isOurs = (layer: MountEntry): boolean => this.owns(layer, mountedAs, isClaim);
    const result = await this.#takeOut({ targetId, mountPath, beforeUmount }, isOurs, deadline);
    if (result.kind !== 'out') return result;
    const { flushVerified, detail } = verdictOf(lastFlush, result.harsh);
    return { kind: 'gone', flushVerified, detail, everywhere: false };
  }

  clear(): Promise<null> {
    return Promise.resolve(null);
  }

  daemonPid(): Promise<null> {
    return Promise.resolve(null);
  }

  owns(layer: MountEntry, mountedAs: MountedAs, isClaim = false): boolean {
    if (layer.mountPath !== mountedAs.mountPath || !isNfs(layer)) return false;
    if (layer.mntId === mountedAs.mntId && layer.device === mountedAs.device) return true;
    if (layer.source === mountedAs.shownSource || normalizeExport(layer.source) === mountedAs.source)
      return true;
    return isClaim && isOfServer(layer, mountedAs.source);
  }

  #takeOut(
    what: Pick<LayerToTakeOut, 'targetId' | 'mountPath' | 'beforeUmount'>,
    isOurs: (layer: MountEntry) => boolean,
    deadline: Deadline,
  ): Promise<TakeOutResult> {
    const layer = { ...what, isOurs, commandPrefix: this.#commandPrefix };
    return this.unmounter.takeOut(layer, deadline);
  }

  async #checkAnswers(plan: MountPlan, deadline: Deadline): Promise<void> {
    const limited = this.#forProbe(deadline);
    const result = await this.probe.probe(plan.targetId, plan.mountPath, limited.remainingMs());
    // A slow server is told from one that hangs by its replies alone: that does for a mount that stands.
    if (result.kind === 'answers' && !result.slowly) return;
    const reason = result.kind === 'dead' ? result.reason : `it did not answer within ${limited.setBy}`;
    throw new DmsError('MOUNT_FAILED', `${plan.source} was mounted but cannot be read: ${reason}`);
  }

  /**
   * An export that is read-only for this node is mounted all the same if it is asked for rw, and fails at each write. What
   * cannot be found out, because the server is slow, say, fails no mount.
   */
  async #checkWritable(plan: MountPlan, deadline: Deadline): Promise<void> {
    const options = (plan.request.backup_target.nfs_mount_opts ?? '').split(',');
    const targetId = probeOwner(plan.targetId);
    const limited = this.#forProbe(deadline);
    const attempt = await this.breaker.attempt(
      serverOf(plan.source, options).name,
      targetId,
      limited,
      () =>
        this.children.run({
          targetId,
          ...writeCheckOf(plan.mountPath),
          deadlineMs: limited.remainingMs(),
        }),
      () => null,
    );
    if (attempt.kind === 'refused' || !saysReadOnly(attempt.result)) return;
    throw new DmsError(
      'MOUNT_FAILED',
      `${plan.source} cannot be mounted for writing: its server exports it read-only to this node. ` +
        'Mount it with "read_only": true (--read-only), or export it for writing.',
    );
  }
}

/** What is known of the data once a mount is gone. @param flush the last one before that; null: there was none */
function verdictOf(
  flush: Flush | null,
  harsh: HarshStep | null,
): Pick<Extract<UnmountResult, { kind: 'gone' }>, 'flushVerified' | 'detail'> {
  if (harsh !== null && flush?.kind !== 'failed') {
    const option = harsh === 'lazy' ? 'umount -l' : 'umount -f';
    const detail = `it was in use and was taken away by ${option}: what its users had not written is lost`;
    return { flushVerified: false, detail };
  }
  return { flushVerified: flush?.kind === 'done', detail: flush?.detail ?? null };
}

/** The words of the mount command; request and export were checked and hold no further option. */
export function mountCommand(plan: MountPlan): string[] {
  const options = nfsOptionsFor(plan.request.backup_target.nfs_mount_opts, plan.readOnly);
  return ['mount', '-t', 'nfs', '-o', options, '--', plan.source, plan.mountPath];
}

function checkMounted(plan: MountPlan, outcome: ChildOutcome, { setBy }: Deadline): void {
  if (outcome.kind === 'deadline') {
    const left = outcome.gone ? '' : '; the mount command hangs in the kernel and may still act';
    throw new DmsError('TIMEOUT', `${plan.source} could not be mounted within ${setBy}${left}.`);
  }
  if (outcome.kind === 'not-started')
    throw new DmsError(codeOfNotStarted(outcome, 'MOUNT_FAILED'), outcome.reason);
  if (outcome.code === 0) return;
  const words = outcome.output.trim() || `mount ended with ${outcome.signal ?? outcome.code}`;
  throw new DmsError('MOUNT_FAILED', words);
}

function notTried(plan: MountPlan, reason: string): DmsError {
  return new DmsError('MOUNT_FAILED', `${plan.source} was not mounted: ${reason}.`);
}

/** A refusal is an answer, too. */
function isAnswer(outcome: ChildOutcome | PingAnswer): boolean {
  if (outcome.kind !== 'exited') return outcome.kind === 'not-started';
  return outcome.code === 0 || !GAVE_UP.test(outcome.output);
}

/** Tells which layer a failed mount has made: the one that it saw, else any of its server. */
function madeBy(plan: MountPlan, made: MountEntry | undefined): (layer: MountEntry) => boolean {
  if (made === undefined) return (layer) => isNfs(layer) && isOfServer(layer, plan.source);
  return ({ mntId, device }) => mntId === made.mntId && device === made.device;
}

function isOfServer(layer: MountEntry, source: string): boolean {
  return serverOf(layer.source, []).address === serverOf(source, []).address;
}
