import { mkdir } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DmsError, type FuseProcess } from '@app/contracts';
import { type ServerSettings, SETTINGS } from '../settings/server.settings';
import { DaemonIdentities, identityOfServer } from './daemon-identities';
import { errorLinesOf } from './daemon-log';
import { waitUntil } from './delay';
import { type DaemonExit, type FuseDaemon } from './fuse-daemon';
import { FuseRecord, listFuseTargets } from './fuse-record';
import { type FuseDaemonPlan, startSupervised } from './fuse-supervisor';
import { PidFiles } from './pid-files';
import { livingGroup, mountPathOf, type ProcessIdentity, readProcess, readSame } from './process-identity';
import { ProcessStarts } from './process-starts';
import { stateText, usageOf } from './process-usage';
import { shortageOf } from './shortage';
import { SUPERVISOR_LAUNCHER, type SupervisorLauncher } from './supervisor-launcher.interface';

/** The supervisor needs milliseconds; a machine that swaps may need longer. */
const START_MS = 5_000;
/** The supervisor writes the exit status, and the last of the log, right after the end of the daemon. */
const SUPERVISOR_MS = 500;
const MAX_ERROR_LINES = 20;

/**
 * The FUSE processes of this node. All that is known stands in files, so that a dms-server that starts again finds
 * them: by pid, start time and command, so that another process with the same number is never taken for one of them.
 */
@Injectable()
export class FuseProcessesService {
  readonly #runDir: string;
  readonly #pidDir: string;
  readonly #pidFiles: PidFiles;
  readonly #identities = new DaemonIdentities();

  constructor(
    @Inject(SETTINGS) settings: Pick<ServerSettings, 'runDir' | 'pidDir'>,
    @Inject(SUPERVISOR_LAUNCHER) private readonly launcher: SupervisorLauncher,
    @Inject(ProcessStarts) private readonly starts = new ProcessStarts(),
  ) {
    this.#runDir = settings.runDir;
    this.#pidDir = settings.pidDir;
    this.#pidFiles = new PidFiles(settings.pidDir);
  }

  /**
   * Starts a daemon under a supervisor; both outlive this program.
   *
   * @returns its pid, once that is on record; whether it mounts is still to be seen
   * @throws what the plan's environment is rejected with; nothing runs then
   * @throws DmsError MOUNT_FAILED if it could not be started, or one of this target still runs
   */
  async spawn(plan: FuseDaemonPlan): Promise<number> {
    const before = await this.find(plan.targetId);
    if (before?.alive && before.knownBy === 'record') {
      throw new DmsError('MOUNT_FAILED', `A FUSE process of this target still runs (PID ${before.pid}).`);
    }
    const record = this.#record(plan.targetId);
    try {
      await record.create({ targetId: plan.targetId, mountPath: plan.mountPath });
      await mkdir(this.#pidDir, { recursive: true, mode: 0o755 });
      await this.#pidFiles.remove(plan.targetId);
    } catch (error) {
      throw notStarted('The FUSE process cannot be put on record', error);
    }
    try {
      await startSupervised(this.starts, this.launcher, plan, record.directory, this.pidFile(plan.targetId));
    } catch (error) {
      if (shortageOf(error) !== null) {
        // No supervisor runs whose end could be waited for.
        await record.remove();
        throw notStarted('The FUSE process cannot be started', error);
      }
      await waitUntil(START_MS, () => record.exitStatus());
      await this.forget(plan.targetId);
      throw error;
    }
    const identity = await waitUntil(START_MS, () => record.identity());
    if (identity === null)
      throw new DmsError('MOUNT_FAILED', 'The supervisor of the FUSE process did not start.');
    return identity.pid;
  }

  /** The target's daemon, also one that has ended and was not forgotten; null where none is known. */
  async find(targetId: string): Promise<FuseDaemon | null> {
    const record = this.#record(targetId);
    const [target, identity] = [await record.target(), await record.identity()];
    if (target !== null && identity !== null) {
      const alive = (await this.#identities.living(identity, target.mountPath)) !== null;
      return { targetId, pid: identity.pid, alive, mountPath: target.mountPath, knownBy: 'record' };
    }
    const pid = await this.#pidFiles.read(targetId);
    if (pid === null) return null;
    const alive = (await readProcess(pid)) !== null;
    return { targetId, pid, alive, mountPath: await mountPathOf(pid), knownBy: 'pid-file' };
  }

  /**
   * Waits until the daemon that serves `mountPath` has ended by itself.
   *
   * @returns null if it still runs after `limitMs`
   */
  async waitForExit(targetId: string, mountPath: string, limitMs: number): Promise<DaemonExit | null> {
    const record = this.#record(targetId);
    const ended = await waitUntil(limitMs, async () => (await this.hasExited(targetId, mountPath)) || null);
    if (ended === null) return null;
    if ((await record.identity()) === null) return { status: null, cleanFlush: null, errorLines: [] };
    const status = await waitUntil(SUPERVISOR_MS, () => record.exitStatus());
    await waitUntil(SUPERVISOR_MS, async () => (await record.isDrained()) || null);
    const errors = errorLinesOf(await record.log());
    const isKnown = status !== null && !(status === 0 && errors.length === 0 && (await record.isLogCut()));
    return {
      status,
      cleanFlush: isKnown ? status === 0 && errors.length === 0 : null,
      errorLines: errors.slice(-MAX_ERROR_LINES),
    };
  }

  /** True once the daemon that serves `mountPath` has ended, or where none is known. */
  async hasExited(targetId: string, mountPath: string): Promise<boolean> {
    if ((await this.#record(targetId).exitStatus()) !== null) return true;
    const identity = await this.#identify(targetId, mountPath);
    return identity === null || (await readSame(identity)) === null;
  }

  /** The newest lines of what the daemon said, at most 600 KiB. */
  async logTail(targetId: string): Promise<string> {
    return this.#record(targetId).log();
  }

  /** True once the daemon and every process that it started in its group have ended: nothing can mount any more. */
  async isGone(targetId: string, mountPath: string): Promise<boolean> {
    if (!(await this.hasExited(targetId, mountPath))) return false;
    const identity = await this.#record(targetId).identity();
    return identity === null || (await livingGroup(identity)).length === 0;
  }

  /**
   * Sends a signal to the daemon and the processes of its group, if they are certain to be it: known by its record, or
   * by a PID file and serving `mountPath`.
   *
   * @returns false if nothing was signalled
   */
  async terminate(targetId: string, mountPath: string, signal: NodeJS.Signals): Promise<boolean> {
    const identity = await this.#identify(targetId, mountPath);
    const daemon = identity === null ? null : await this.#identities.living(identity, mountPath);
    const recorded = await this.#record(targetId).identity();
    const group = recorded === null ? [] : await livingGroup(recorded);
    const pids = new Set([...(daemon === null ? [] : [daemon]), ...group].map(({ pid }) => pid));
    return [...pids].map((pid) => signalIfThere(pid, signal)).includes(true);
  }

  /** Removes record, log and PID file of a daemon that has ended; one that still runs stays on record. */
  async forget(targetId: string): Promise<void> {
    const record = this.#record(targetId);
    const identity = await record.identity();
    if (identity !== null && (await readSame(identity)) !== null) return;
    await record.remove();
    await this.#pidFiles.remove(targetId);
  }

  /** How many daemons are on record. */
  async count(): Promise<number> {
    return (await listFuseTargets(this.#runDir)).length;
  }

  /** All daemons that are known, by record or PID file. */
  async list(): Promise<FuseProcess[]> {
    const recorded = (await listFuseTargets(this.#runDir)).map(({ targetId }) => targetId);
    const names = new Set(recorded.map((targetId) => this.#pidFiles.pathOf(targetId)));
    const others = (await this.#pidFiles.list()).filter(
      (targetId) => !names.has(this.#pidFiles.pathOf(targetId)),
    );
    const found = await Promise.all([...recorded, ...others].map((targetId) => this.find(targetId)));
    return Promise.all(found.filter((daemon) => daemon !== null).map((daemon) => this.#describe(daemon)));
  }

  /** Where its PID is written for other programs. */
  pidFile(targetId: string): string {
    return this.#pidFiles.pathOf(targetId);
  }

  /** Seconds that the daemon has run; null where it does not. */
  async uptimeSeconds(targetId: string): Promise<number | null> {
    const daemon = await this.find(targetId);
    const stat = daemon?.alive ? await readProcess(daemon.pid) : null;
    return stat === null ? null : (await usageOf(stat)).uptimeSeconds;
  }

  async #describe(daemon: FuseDaemon): Promise<FuseProcess> {
    const stat = daemon.alive ? await readProcess(daemon.pid) : null;
    const usage = stat === null ? null : await usageOf(stat);
    return {
      backup_target_id: daemon.targetId,
      pid: daemon.pid,
      alive: daemon.alive,
      mount_path: daemon.mountPath ?? '',
      started_at: usage?.startedAt.toISOString() ?? null,
      rss_bytes: usage?.rssBytes ?? null,
      cpu_percent: usage?.cpuPercent ?? null,
      state: stateText(stat),
    };
  }

  /** The daemon on record, else the process that a PID file names if it serves `mountPath`. */
  async #identify(targetId: string, mountPath: string): Promise<ProcessIdentity | null> {
    const recorded = await this.#record(targetId).identity();
    if (recorded !== null) return recorded;
    const pid = await this.#pidFiles.read(targetId);
    return pid === null ? null : identityOfServer(pid, mountPath);
  }

  #record(targetId: string): FuseRecord {
    return new FuseRecord(this.#runDir, targetId);
  }
}

function notStarted(what: string, error: unknown): DmsError {
  const shortage = shortageOf(error);
  const why = shortage ?? (error as NodeJS.ErrnoException).code;
  return new DmsError(shortage === null ? 'MOUNT_FAILED' : 'NODE_FULL', `${what}: ${why}`, { cause: error });
}

function signalIfThere(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
