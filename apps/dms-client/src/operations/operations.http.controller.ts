import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type HistoryDto, type OperationDto, type OperationListDto } from '@app/contracts';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
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
  @Answers('A page of operations, newest first.')
  list(
    @Query(ParametersPipe) query: OperationsQueryDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<OperationListDto> {
    return this.operations.list(query, scope);
  }

  /** One request and what became of it. */
  @Access('read')
  @Get('operations/:id')
  @Answers('The operation.', 'NOT_FOUND')
  get(
    @Param(ParametersPipe) { id }: OperationPathDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<OperationDto> {
    return this.operations.get(id, scope);
  }

  /** What was asked for one target, on all hosts, newest first. */
  @Access('read')
  @Get('targets/:backup_target_id/history')
  @Answers('Operations of the target, newest first.')
  history(
    @Param(ParametersPipe) { backup_target_id }: TargetPathDto,
    @Query(ParametersPipe) { limit }: HistoryQueryDto,
    @CallerScope() scope: ProjectScope,
  ): Promise<HistoryDto> {
    return this.operations.history(backup_target_id, scope, limit);
  }
}
