import { hostProblem, Satisfies } from '@app/contracts';

/** A node, by its name. */
export class NodePathDto {
  @Satisfies(hostProblem)
  host: string;
}
