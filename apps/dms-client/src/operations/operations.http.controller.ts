import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type HistoryDto, type OperationDto, type OperationListDto } from '@app/contracts';
import { Access } from '../access/access.decorator';
import { type ProjectScope } from '../access/identity';
import { CallerScope } from '../access/request-identity';
import { ParametersPipe } from '../queries/parameters.pipe';
import { HistoryQueryDto, OperationPathDto, OperationsQueryDto, TargetPathDto } from './operations.dto';
import { OperationsService } from './operations.service';

@ApiTags('operations')
@Controller('api/v1')
export class OperationsHttpController {
  constructor(private readonly operations: OperationsService) {}

  /** What was asked for and what became of it, newest first. */
  @Access('read')
  @Get('operations')
  list(
    @Query(ParametersPipe) query: OperationsQueryDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<OperationListDto> {
    return this.operations.list(query, scope);
  }

  /** One request and what became of it. */
  @Access('read')
  @Get('operations/:id')
  get(
    @Param(ParametersPipe) { id }: OperationPathDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<OperationDto> {
    return this.operations.get(id, scope);
  }

  /** What was asked for one target, on all hosts, newest first. */
  @Access('read')
  @Get('targets/:backup_target_id/history')
  history(
    @Param(ParametersPipe) { backup_target_id }: TargetPathDto,
    @Query(ParametersPipe) { limit }: HistoryQueryDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<HistoryDto> {
    return this.operations.history(backup_target_id, scope, limit);
  }
}
