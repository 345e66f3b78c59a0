import { hostProblem, identifierProblem, Satisfies } from '@app/contracts';

/** A target on a host. */
export class LockPathDto {
  @Satisfies(hostProblem)
  host: string;

  @Satisfies(identifierProblem)
  backup_target_id: string;
}
