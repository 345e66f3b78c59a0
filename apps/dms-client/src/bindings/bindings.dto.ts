import { hostProblem, identifierProblem, Satisfies } from '@app/contracts';
import { IsOptional } from 'class-validator';
import { DEFAULT_LIMIT, Flag, WholeNumber } from '../queries/parameter.decorators';

/** Which bindings are listed. */
export class BindingsQueryDto {
  @IsOptional()
  @Satisfies(hostProblem)
  host?: string;

  @IsOptional()
  @Satisfies(identifierProblem)
  backup_target_id?: string;

  @IsOptional()
  @WholeNumber(1, Number.MAX_SAFE_INTEGER)
  jobid?: number;

  /** True lists what is held, false what is not. */
  @IsOptional()
  @Flag()
  mounted?: boolean;

  @IsOptional()
  @WholeNumber(1, 1000)
  limit?: number = DEFAULT_LIMIT;

  /** `next_cursor` of the page before. */
  @IsOptional()
  @WholeNumber(0, Number.MAX_SAFE_INTEGER)
  cursor?: number;
}

/** A job's binding to a target. */
export class BindingPathDto {
  @WholeNumber(1, Number.MAX_SAFE_INTEGER)
  jobid: number;

  @Satisfies(identifierProblem)
  backup_target_id: string;
}

/** On which host. */
export class BindingHostDto {
  /** May be left out where the job holds the target on one host only. */
  @IsOptional()
  @Satisfies(hostProblem)
  host?: string;
}

/** On which host, and whether the node is asked. */
export class BindingQueryDto extends BindingHostDto {
  /** Ask the node, too, what it sees. */
  @IsOptional()
  @Flag()
  verify?: boolean;
}

/** A job. */
export class JobPathDto {
  @WholeNumber(1, Number.MAX_SAFE_INTEGER)
  jobid: number;
}
