import { Body, Controller, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { type BindingDto } from '@app/contracts';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { type ProjectScope } from '../access/identity';
import { CallerScope } from '../access/request-identity';
import { BindingHostDto, BindingPathDto } from '../bindings/bindings.dto';
import { ParametersPipe } from '../queries/parameters.pipe';
import { RenewRequestDto } from './leases.dto';
import { LeasesService } from './leases.service';

@ApiTags('bindings')
@Controller('api/v1')
export class LeasesHttpController {
  constructor(private readonly leases: LeasesService) {}

  /** Makes the lease of a job's hold end later. */
  @ApiBody({ type: RenewRequestDto, required: false })
  @Access('change')
  @Post('bindings/:jobid/:backup_target_id/renew')
  @HttpCode(200)
  @Answers('The binding, with the new end of its lease.', 'NOT_FOUND', 'CONFLICT', 'LOCK_TIMEOUT', 'TIMEOUT')
  renew(
    @Param(ParametersPipe) path: BindingPathDto,
    @Query(ParametersPipe) { host }: BindingHostDto,
    @CallerScope() scope: ProjectScope,
    @Body(ParametersPipe) { lease_s }: RenewRequestDto,
  ): Promise<BindingDto> {
    return this.leases.renew({ ...path, host }, scope, lease_s ?? null);
  }
}
