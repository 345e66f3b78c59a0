import { mkdir } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DmsError, type FuseProcess } from '@app/contracts';
import { type ServerSettings, SETTINGS } from '../settings/server.settings';
import { errorLinesOf } from './daemon-log';
import { waitUntil } from './delay';
import { FuseRecord, listFuseTargets } from './fuse-record';
import { type FuseDaemonPlan, startSupervised } from './fuse-supervisor';
import { PidFiles } from './pid-files';
import {
  bootId,
  mountPathOf,
  type ProcessIdentity,
  type ProcessStat,
  readProcess,
  readSame,
  servesMount,
} from './process-identity';
import { usageOf } from './process-usage';

/** The supervisor needs milliseconds; a machine that swaps may need longer. */
const START_MS = 5_000;
/** The supervisor writes the exit status, and the last of the log, right after the end of the daemon. */
const SUPERVISOR_MS = 500;
const MAX_ERROR_LINES = 20;

/** A FUSE process of a target. */
export interface FuseDaemon {
  readonly targetId: string;
  readonly pid: number;
  readonly alive: boolean;
  /** Null where it is known by a PID file only and does not say. */
  readonly mountPath: string | null;
  /** `record`: we started it and know that it is the same; `pid-file`: somebody wrote its number there. */
  readonly knownBy: 'record' | 'pid-file';
}

/** How a daemon ended. */
export interface DaemonExit {
  /** As the shell has it (128 + N after signal N); null where nobody saw it. */
  readonly status: number | null;
  /** True: it ended with status 0 and reported no error; null: not known. */
  readonly cleanFlush: boolean | null;
  /** What it reported, the last lines of it. */
  readonly errorLines: readonly string[];
}

/**
 * The FUSE processes of this node. All that is known stands in files, so that a dms-server that starts again finds
 * them: by pid, start time and command, so that another process with the same number is never taken for one of them.
 */
@Injectable()
export class FuseProcessesService {
  readonly #runDir: string;
  readonly #pidDir: string;
  readonly #pidFiles: PidFiles;
  /** Processes whose command was compared already: it does not change any more. */
  readonly #compared = new Set<string>();

  constructor(@Inject(SETTINGS) settings: ServerSettings) {
    this.#runDir = settings.runDir;
    this.#pidDir = settings.pidDir;
    this.#pidFiles = new PidFiles(settings.pidDir);
  }

  /**
   * Starts a daemon under a supervisor; both outlive this program.
   *
   * @returns its pid, once that is on record; whether it mounts is still to be seen
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
      await startSupervised(plan, record.directory, this.pidFile(plan.targetId));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new DmsError('MOUNT_FAILED', `The FUSE process could not be started: ${reason}`, {
        cause: error,
      });
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
      const alive = (await this.#same(identity, target.mountPath)) !== null;
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

  /**
   * Sends a signal to the daemon, if that process is certain to be it: known by its record, or by a PID file and
   * serving `mountPath`.
   *
   * @returns false if nothing was signalled
   */
  async terminate(targetId: string, mountPath: string, signal: NodeJS.Signals): Promise<boolean> {
    const identity = await this.#identify(targetId, mountPath);
    if (identity === null || (await this.#same(identity, mountPath)) === null) return false;
    try {
      return process.kill(identity.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
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
    };
  }

  /** The daemon on record, else the process that a PID file names if it serves `mountPath`. */
  async #identify(targetId: string, mountPath: string): Promise<ProcessIdentity | null> {
    const recorded = await this.#record(targetId).identity();
    if (recorded !== null) return recorded;
    const pid = await this.#pidFiles.read(targetId);
    const stat = pid === null ? null : await readProcess(pid);
    if (stat === null || !(await servesMount(stat.pid, mountPath))) return null;
    return { pid: stat.pid, startTime: stat.startTime, bootId: await bootId() };
  }

  /** The process of that identity if it lives and its command is that of a daemon of `mountPath`. */
  async #same(identity: ProcessIdentity, mountPath: string): Promise<ProcessStat | null> {
    const stat = await readSame(identity);
    const key = `${identity.pid} ${identity.startTime} ${mountPath}`;
    if (stat === null) {
      this.#compared.delete(key);
      return null;
    }
    if (this.#compared.has(key)) return stat;
    if (!(await servesMount(identity.pid, mountPath))) return null;
    this.#compared.add(key);
    return stat;
  }

  #record(targetId: string): FuseRecord {
    return new FuseRecord(this.#runDir, targetId);
  }
}
