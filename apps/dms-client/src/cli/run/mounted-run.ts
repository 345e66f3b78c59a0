import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DmsError,
  type MountResponseDto,
  parseTargetRequest,
  type TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { type ApiConnection } from '../api/api-connection';
import { type DmsApi } from '../api/dms-api';
import { type RunOptions } from '../commands/run.command';
import { type Output } from '../output';
import { targetRequest } from '../target-request';
import { unmountProblem } from '../unmount-problem';
import { type CommandEnd, runCommand, type RunningCommand } from './child-command';
import { HoldWatch } from './hold-watch';
import { jobEnvironment } from './job-environment';
import { LeaseRenewal } from './lease-renewal';
import { RunReport } from './run-report';
import { SignalCatcher, statusOfSignal } from './signals';

/** As of `docker run`: the command was not run, or what it wrote may be lost. */
export const NOT_GRANTED = 125;

/** Exit code of errors after which one is to try again. */
const TEMPORARY = 75;
/** After these a mount may yet come: also something on the way may have answered in the place of dms-client. */
const MAY_HOLD: ReadonlySet<string> = new Set(['TIMEOUT', 'INTERNAL', 'WRONG_SERVICE']);
/** Pauses between the attempts to unmount, in milliseconds. */
const UNMOUNT_PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000];

/** Runs a command while a target is mounted. */
export class MountedRun {
  private constructor(
    private readonly request: TargetRequestDto,
    private readonly options: RunOptions,
    private readonly report: RunReport,
  ) {}

  /**
   * The hold has a name of its own, so that the end of this run ends no other hold of the job.
   *
   * @throws DmsError VALIDATION_FAILED; UsageError
   */
  static async of(options: RunOptions, output: Output): Promise<MountedRun> {
    const named = { ...options, holdId: options.holdId ?? `run-${randomUUID()}` };
    const request = await targetRequest('mount', named, (message) => output.warn(message));
    return new MountedRun(request, options, RunReport.open(options, output));
  }

  /**
   * Mounts, runs the command with `DMS_MOUNT_PATH` set, and always unmounts. Errors are reported.
   *
   * @returns the command's status; 128 + n where signal n ended it, or came before it was begun; 127 or 126 where it
   *   could not be run; 125 where the mount was not granted or data may be lost
   */
  async execute(command: readonly string[], connection: ApiConnection): Promise<number> {
    const signals = new SignalCatcher();
    try {
      return await this.#execute(command, connection, signals);
    } catch (error) {
      this.report.error(error);
      return signals.missed === null ? NOT_GRANTED : statusOfSignal(signals.missed);
    } finally {
      signals.stop();
      this.report.close();
    }
  }

  async #execute(
    command: readonly string[],
    connection: ApiConnection,
    signals: SignalCatcher,
  ): Promise<number> {
    const api = await this.report.during('connecting', () => connection.open());
    const leaseS = (this.options.lease ?? api.defaultLeaseS) || null;
    const mount = await this.#mount(api, leaseS, signals);
    const { end, lost } =
      signals.missed === null
        ? await this.#use(api, mount, leaseS, { command, signals })
        : { end: { status: statusOfSignal(signals.missed) }, lost: false };
    const safe = await this.#unmount(api);
    if (!safe) return NOT_GRANTED;
    if (!lost || end.status !== 0) return end.status;
    this.report.problem('the command ended well, but the mount was lost: what it wrote may be lost');
    return NOT_GRANTED;
  }

  /** A mount whose outcome is unknown may yet come: what it would hold is given back before the error is told. */
  async #mount(api: DmsApi, leaseS: number | null, signals: SignalCatcher): Promise<MountResponseDto> {
    const request = parseTargetRequest(
      { ...this.request, keystone_token: this.request.keystone_token?.reveal() ?? null, lease_s: leaseS },
      'mount',
    );
    this.report.step('mounting', null, this.#facts);
    try {
      const answer = await this.report.during(
        `mounting ${this.#name}`,
        () => api.mount(request, signals.aborted),
        api.requestTimeoutMs,
      );
      const { mount_path, device, reused_existing, operation_id } = answer;
      this.report.step('mounted', `mounted ${this.#name} at ${mount_path}`, {
        ...{ ...this.#facts, mount_path, device, reused_existing, operation_id },
      });
      return answer;
    } catch (thrown) {
      const error = DmsError.from(thrown);
      if (MAY_HOLD.has(error.code)) await this.#unmount(api);
      throw error;
    }
  }

  /** Runs the command, and renews and watches its hold meanwhile. */
  async #use(
    api: DmsApi,
    { mount_path }: MountResponseDto,
    leaseS: number | null,
    { command, signals }: { command: readonly string[]; signals: SignalCatcher },
  ): Promise<{ end: CommandEnd; lost: boolean }> {
    const { report, options } = this;
    let running: RunningCommand | null = null;
    const renewal = new LeaseRenewal(api, this.request, leaseS, (message) => report.warn(message));
    const watch = new HoldWatch(api, this.request, (problem) => {
      const { onBroken = 'warn' } = options;
      const signal = running === null || onBroken === 'warn' ? null : onBroken;
      const told = signal === null ? '' : `; the command is sent ${signal}`;
      report.warn(`${problem}${told}`, 'broken', { signal });
      if (signal !== null) running?.kill(signal);
    });
    const end = await runCommand(command, jobEnvironment(process.env, mount_path), signals, (started) => {
      running = started;
      report.step('started', null, { pid: started.pid });
    });
    running = null;
    report.step('ended', null, { status: end.status, signal: end.signal });
    await renewal.stop();
    const lost = await watch.stop();
    if (end.problem !== null) report.problem(end.problem);
    return { end, lost };
  }

  /** @returns false where data may be lost, or where it is not known that the hold was given back */
  async #unmount(api: DmsApi): Promise<boolean> {
    this.report.step('unmounting', null, this.#facts);
    try {
      const answer = await this.report.during(
        `unmounting ${this.#name}`,
        () => this.#unmountPatiently(api),
        api.requestTimeoutMs,
      );
      const { unmounted, physically_mounted, active_mounts_remaining, error_code } = answer;
      const problem = unmountProblem(answer);
      if (problem !== null) this.report.warn(problem.message);
      this.report.step(
        'unmounted',
        problem === null ? `${unmounted ? 'unmounted' : 'released'} ${this.#name}` : null,
        {
          ...{ ...this.#facts, unmounted, physically_mounted, active_mounts_remaining, error_code },
        },
      );
      return problem === null || !problem.dataAtRisk;
    } catch (error) {
      this.report.error(error);
      return false;
    }
  }

  /** An unmount may be repeated: it ends a hold that only this run has. */
  async #unmountPatiently(api: DmsApi): Promise<UnmountResponseDto> {
    const request = parseTargetRequest(
      { ...this.request, action: 'unmount', keystone_token: null },
      'unmount',
    );
    for (const pauseMs of UNMOUNT_PAUSES_MS) {
      try {
        return await api.unmount(request);
      } catch (error) {
        if (!(error instanceof DmsError) || error.exitCode !== TEMPORARY) throw error;
        await sleep(pauseMs);
      }
    }
    return api.unmount(request);
  }

  get #name(): string {
    return `${this.request.backup_target.id} on ${this.request.host}`;
  }

  get #facts(): Record<string, unknown> {
    const { host, job, backup_target, hold_id } = this.request;
    return { host, backup_target_id: backup_target.id, jobid: job.jobid, hold_id };
  }
}
