import { Injectable } from '@nestjs/common';
import {
  DmsError,
  type ErrorDto,
  type ReleaseJobResponseDto,
  type TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { type ProjectScope } from '../access/identity';
import { errorBody } from '@app/platform';
import { MountsService } from '../mounts/mounts.service';
import { BindingsRepository, type BindingView } from './bindings.repository';

/** Bindings of one job that are released at once. */
const AT_ONCE = 16;
const PAGE = 1000;

/** Gives back what jobs hold, by unmounts: the last hold of a target takes its mount away. */
@Injectable()
export class JobReleaseService {
  constructor(
    private readonly bindings: BindingsRepository,
    private readonly mounts: MountsService,
  ) {}

  /**
   * Releases all that a job of the caller's projects has claimed, holds, or has lost. What could not be released stands in the answer.
   *
   * @throws DmsError LEDGER_UNAVAILABLE where the bindings cannot be read
   */
  async releaseJob(jobid: number, scope: ProjectScope): Promise<ReleaseJobResponseDto> {
    const released: UnmountResponseDto[] = [];
    const failed: ErrorDto[] = [];
    const views = (await this.#ofJob(jobid, scope)).filter(({ binding }) => binding.state !== 'released');
    for (let at = 0; at < views.length; at += AT_ONCE) {
      const outcomes = await Promise.all(
        views.slice(at, at + AT_ONCE).map((view) => this.release(view, scope)),
      );
      for (const outcome of outcomes) {
        if (outcome.status === 'success') released.push(outcome);
        else failed.push(outcome);
      }
    }
    const all = views.length;
    return {
      status: failed.length === 0 ? 'success' : 'error',
      error_msg: failed.length === 0 ? null : `${failed.length} of ${all} binding(s) could not be released`,
      success_msg: failed.length === 0 ? `${all} binding(s) of job ${jobid} were released` : null,
      error_code: failed.at(0)?.error_code ?? null,
      jobid,
      released,
      failed,
    };
  }

  /** Ends the job's hold that the binding stands for. Never rejects: an error is the answer. */
  async release(
    { binding, type, source }: BindingView,
    scope: ProjectScope,
  ): Promise<UnmountResponseDto | ErrorDto> {
    const request: TargetRequestDto = {
      job: { jobid: binding.jobid },
      host: binding.host,
      action: 'unmount',
      context: { project_id: binding.project_id },
      backup_target: {
        id: binding.backup_target_id,
        type: type ?? 's3',
        filesystem_export_mount_path: binding.mount_path,
        filesystem_export: type === 'nfs' ? source : null,
        secret_ref: type === 's3' ? source : null,
      },
    };
    try {
      return await this.mounts.unmount(request, { scope });
    } catch (thrown) {
      const { jobid, backup_target_id, host } = binding;
      const error = errorBody(DmsError.from(thrown));
      return { ...error, details: { ...error.details, jobid, backup_target_id, host } };
    }
  }

  async #ofJob(jobid: number, { projectId }: ProjectScope): Promise<BindingView[]> {
    const filter = { jobid, project_id: projectId ?? undefined };
    const all: BindingView[] = [];
    for (;;) {
      const page = await this.bindings.find({ ...filter, afterId: all.at(-1)?.binding.id }, PAGE);
      all.push(...page);
      if (page.length < PAGE) return all;
    }
  }
}
