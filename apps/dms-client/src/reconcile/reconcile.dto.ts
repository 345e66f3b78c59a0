import { hostProblem, Satisfies } from '@app/contracts';
import { IsBoolean, IsOptional } from 'class-validator';

/** Which nodes are compared, and whether anything is done about the differences. */
export class ReconcileRequestDto {
  /** One node; absent: all that are known. */
  @IsOptional()
  @Satisfies(hostProblem)
  host?: string | null;

  /** Only tell the differences. */
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  dry_run?: boolean | null;
}
