import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type HistoryDto, type OperationDto, type OperationListDto } from '@app/contracts';
import { ParametersPipe } from '../queries/parameters.pipe';
import { HistoryQueryDto, OperationPathDto, OperationsQueryDto, TargetPathDto } from './operations.dto';
import { OperationsService } from './operations.service';

@ApiTags('operations')
@Controller('api/v1')
export class OperationsHttpController {
  constructor(private readonly operations: OperationsService) {}

  /** What was asked for and what became of it, newest first. */
  @Get('operations')
  list(@Query(ParametersPipe) query: OperationsQueryDto): Promise<OperationListDto> {
    return this.operations.list(query);
  }

  /** One request and what became of it. */
  @Get('operations/:id')
  get(@Param(ParametersPipe) { id }: OperationPathDto): Promise<OperationDto> {
    return this.operations.get(id);
  }

  /** What was asked for one target, on all hosts, newest first. */
  @Get('targets/:backup_target_id/history')
  history(
    @Param(ParametersPipe) { backup_target_id }: TargetPathDto,
    @Query(ParametersPipe) { limit }: HistoryQueryDto,
  ): Promise<HistoryDto> {
    return this.operations.history(backup_target_id, limit);
  }
}
