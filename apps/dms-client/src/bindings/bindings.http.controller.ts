import { Controller, Delete, Get, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  type BindingListDto,
  type BindingStatusDto,
  type DeleteBindingResponseDto,
  ERROR_CODES,
  type ReleaseJobResponseDto,
} from '@app/contracts';
import { type Response } from 'express';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { type ProjectScope } from '../access/identity';
import { CallerScope } from '../access/request-identity';
import { ParametersPipe } from '../queries/parameters.pipe';
import {
  BindingHostDto,
  BindingPathDto,
  BindingQueryDto,
  BindingsQueryDto,
  JobPathDto,
} from './bindings.dto';
import { BindingsService } from './bindings.service';
import { JobReleaseService } from './job-release.service';

@ApiTags('bindings')
@Controller('api/v1')
export class BindingsHttpController {
  constructor(
    private readonly bindings: BindingsService,
    private readonly releases: JobReleaseService,
  ) {}

  /** Who holds what: the bindings of jobs to targets, oldest first. */
  @Access('read')
  @Get('bindings')
  @Answers('A page of bindings.')
  list(
    @Query(ParametersPipe) query: BindingsQueryDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<BindingListDto> {
    return this.bindings.list(query, scope);
  }

  /** One job's binding to a target; with `verify`, what its node sees, too. */
  @Access('read')
  @Get('bindings/:jobid/:backup_target_id')
  @Answers('The binding.', 'NOT_FOUND')
  get(
    @Param(ParametersPipe) path: BindingPathDto,
    @Query(ParametersPipe) { host, verify }: BindingQueryDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<BindingStatusDto> {
    return this.bindings.get({ ...path, host }, scope, verify ?? false);
  }

  /** Takes a binding that holds nothing out of the lists; refused while it is claimed or held. */
  @Access('change')
  @Delete('bindings/:jobid/:backup_target_id')
  @Answers('The binding was taken out of the lists.', 'NOT_FOUND', 'CONFLICT', 'LOCK_TIMEOUT', 'TIMEOUT')
  remove(
    @Param(ParametersPipe) path: BindingPathDto,
    @Query(ParametersPipe) { host }: BindingHostDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<DeleteBindingResponseDto> {
    return this.bindings.remove({ ...path, host }, scope);
  }

  /** Releases all that a job holds. If some of it fails, the status is that of the first failure. */
  @Access('change')
  @Delete('jobs/:jobid/bindings')
  @Answers(
    'All that the job held was released.',
    'UNMOUNT_FAILED',
    'CONFLICT',
    'BUSY',
    'NODE_UNREACHABLE',
    'BROKER_UNAVAILABLE',
    'TIMEOUT',
    'LOCK_TIMEOUT',
  )
  async releaseJob(
    @Param(ParametersPipe) { jobid }: JobPathDto,
    @CallerScope() scope: ProjectScope,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ReleaseJobResponseDto> {
    const result = await this.releases.releaseJob(jobid, scope);
    if (result.error_code !== null) response.status(ERROR_CODES[result.error_code].http);
    return result;
  }
}
