import {
  hostProblem,
  identifierProblem,
  OPERATION_ACTIONS,
  OPERATION_STATUSES,
  type OperationAction,
  type OperationStatus,
  Satisfies,
} from '@app/contracts';
import { IsIn, IsOptional, IsUUID } from 'class-validator';
import { DEFAULT_LIMIT, PointInTime, WholeNumber } from '../queries/parameter.decorators';
import { cursorProblem } from './operation-cursor';

/** Which operations are listed. */
export class OperationsQueryDto {
  @IsOptional()
  @IsIn(OPERATION_STATUSES, { message: `must be one of ${OPERATION_STATUSES.join(', ')}` })
  status?: OperationStatus;

  @IsOptional()
  @IsIn(OPERATION_ACTIONS, { message: `must be one of ${OPERATION_ACTIONS.join(', ')}` })
  action?: OperationAction;

  @IsOptional()
  @Satisfies(hostProblem)
  host?: string;

  @IsOptional()
  @Satisfies(identifierProblem)
  backup_target_id?: string;

  @IsOptional()
  @WholeNumber(1, Number.MAX_SAFE_INTEGER)
  jobid?: number;

  /** Created at this time or later; ISO 8601, without a zone UTC. */
  @IsOptional()
  @PointInTime()
  since?: Date;

  /** Created before this time. */
  @IsOptional()
  @PointInTime()
  until?: Date;

  @IsOptional()
  @WholeNumber(1, 1000)
  limit?: number = DEFAULT_LIMIT;

  /** `next_cursor` of the page before. */
  @IsOptional()
  @Satisfies(cursorProblem)
  cursor?: string;
}

/** An operation. */
export class OperationPathDto {
  @IsUUID('all', { message: 'must be a UUID' })
  id: string;
}

/** A backup target. */
export class TargetPathDto {
  @Satisfies(identifierProblem)
  backup_target_id: string;
}

/** How much of a history. */
export class HistoryQueryDto {
  @IsOptional()
  @WholeNumber(1, 1000)
  limit?: number = DEFAULT_LIMIT;
}
