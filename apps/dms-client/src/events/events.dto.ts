import { hostProblem, identifierProblem, Satisfies, type StateEventDto } from '@app/contracts';
import { IsOptional } from 'class-validator';
import { WholeNumber } from '../queries/parameter.decorators';

/** Which events are told; without a filter all are. */
export class EventsQueryDto {
  @IsOptional()
  @Satisfies(hostProblem)
  host?: string;

  @IsOptional()
  @Satisfies(identifierProblem)
  backup_target_id?: string;

  /** Events that concern this job. */
  @IsOptional()
  @WholeNumber(1, Number.MAX_SAFE_INTEGER)
  jobid?: number;
}

export function fits({ host, backup_target_id, jobid }: EventsQueryDto, event: StateEventDto): boolean {
  return (
    (host === undefined || host === event.host) &&
    (backup_target_id === undefined || backup_target_id === event.backup_target_id) &&
    (jobid === undefined || event.jobids.includes(jobid))
  );
}
