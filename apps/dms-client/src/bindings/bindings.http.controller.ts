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
  @Get('bindings')
  list(@Query(ParametersPipe) query: BindingsQueryDto): Promise<BindingListDto> {
    return this.bindings.list(query);
  }

  /** One job's binding to a target; with `verify`, what its node sees, too. */
  @Get('bindings/:jobid/:backup_target_id')
  get(
    @Param(ParametersPipe) path: BindingPathDto,
    @Query(ParametersPipe) { host, verify }: BindingQueryDto,
  ): Promise<BindingStatusDto> {
    return this.bindings.get({ ...path, host }, verify ?? false);
  }

  /** Takes a binding that holds nothing out of the lists; refused while it is claimed or held. */
  @Delete('bindings/:jobid/:backup_target_id')
  remove(
    @Param(ParametersPipe) path: BindingPathDto,
    @Query(ParametersPipe) { host }: BindingHostDto,
  ): Promise<DeleteBindingResponseDto> {
    return this.bindings.remove({ ...path, host });
  }

  /** Releases all that a job holds. If some of it fails, the status is that of the first failure. */
  @Delete('jobs/:jobid/bindings')
  async releaseJob(
    @Param(ParametersPipe) { jobid }: JobPathDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ReleaseJobResponseDto> {
    const result = await this.releases.releaseJob(jobid);
    if (result.error_code !== null) response.status(ERROR_CODES[result.error_code].http);
    return result;
  }
}
