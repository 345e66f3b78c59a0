import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DmsError, parseTargetRequest, type TargetRequestDto, type UnmountResponseDto } from '@app/contracts';
import { type ApiConnection } from '../api/api-connection';
import { type DmsApi } from '../api/dms-api';
import { type RunOptions } from '../commands/run.command';
import { reportError } from '../error-report';
import { type Output } from '../output';
import { targetRequest } from '../target-request';
import { unmountProblem } from '../unmount-problem';
import { runCommand } from './child-command';
import { jobEnvironment } from './job-environment';
import { LeaseRenewal } from './lease-renewal';
import { SignalCatcher, statusOfSignal } from './signals';

/** As of `docker run`: the command was not run, or what it wrote may be lost. */
export const NOT_GRANTED = 125;

/** Exit code of errors after which one is to try again. */
const TEMPORARY = 75;
/** Pauses between the attempts to unmount, in milliseconds. */
const UNMOUNT_PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000];

/** Runs a command while a target is mounted. */
export class MountedRun {
  private constructor(
    private readonly request: TargetRequestDto,
    private readonly lease: number | undefined,
    private readonly output: Output,
  ) {}

  /**
   * The hold has a name of its own, so that the end of this run ends no other hold of the job.
   *
   * @throws DmsError VALIDATION_FAILED; UsageError
   */
  static async of(options: RunOptions, output: Output): Promise<MountedRun> {
    const named = { ...options, holdId: options.holdId ?? `run-${randomUUID()}` };
    const request = await targetRequest('mount', named, (message) => output.warn(message));
    return new MountedRun(request, options.lease, output);
  }

  /**
   * Mounts, runs the command with `DMS_MOUNT_PATH` set, and always unmounts. Errors are printed.
   *
   * @returns the command's status; 128 + n where signal n ended it, or came before it was begun; 127 or 126 where it
   *   could not be run; 125 where the mount was not granted or data may be lost
   */
  async execute(command: readonly string[], connection: ApiConnection): Promise<number> {
    const signals = new SignalCatcher();
    try {
      return await this.#execute(command, connection, signals);
    } catch (error) {
      reportError(error);
      return signals.missed === null ? NOT_GRANTED : statusOfSignal(signals.missed);
    } finally {
      signals.stop();
    }
  }

  async #execute(
    command: readonly string[],
    connection: ApiConnection,
    signals: SignalCatcher,
  ): Promise<number> {
    const api = await this.output.during('connecting', () => connection.open());
    const leaseS = (this.lease ?? api.defaultLeaseS) || null;
    const path = await this.#mount(api, leaseS, signals);
    const renewal = new LeaseRenewal(api, this.request, leaseS, (message) => this.output.warn(message));
    const end =
      signals.missed === null
        ? await runCommand(command, jobEnvironment(process.env, path), signals)
        : { status: statusOfSignal(signals.missed), problem: null };
    await renewal.stop();
    if (end.problem !== null) process.stderr.write(`dms: ${end.problem}\n`);
    return (await this.#unmount(api)) ? end.status : NOT_GRANTED;
  }

  /** A mount whose outcome is unknown may yet come: what it would hold is given back before the error is told. */
  async #mount(api: DmsApi, leaseS: number | null, signals: SignalCatcher): Promise<string> {
    const { host, backup_target } = this.request;
    const request = parseTargetRequest(
      { ...this.request, keystone_token: this.request.keystone_token?.reveal() ?? null, lease_s: leaseS },
      'mount',
    );
    try {
      const answer = await this.output.during(`mounting ${backup_target.id} on ${host}`, () =>
        api.mount(request, signals.aborted),
      );
      return answer.mount_path;
    } catch (thrown) {
      const error = DmsError.from(thrown);
      if (error.code === 'TIMEOUT' || error.code === 'INTERNAL') await this.#unmount(api);
      throw error;
    }
  }

  /** @returns false where data may be lost, or where it is not known that the hold was given back */
  async #unmount(api: DmsApi): Promise<boolean> {
    const { host, backup_target } = this.request;
    try {
      const answer = await this.output.during(`unmounting ${backup_target.id} on ${host}`, () =>
        this.#unmountPatiently(api),
      );
      const problem = unmountProblem(answer);
      if (problem !== null) this.output.warn(problem.message);
      return problem === null || !problem.dataAtRisk;
    } catch (error) {
      reportError(error);
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
}
