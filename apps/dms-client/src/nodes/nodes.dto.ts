import { hostProblem, keyIdProblem, Satisfies } from '@app/contracts';
import { IsBoolean, IsOptional, ValidateIf } from 'class-validator';

/** A node, by its name. */
export class NodePathDto {
  @Satisfies(hostProblem)
  host: string;
}

/** Whether the node is to be drained; absent: it is. */
export class DrainRequestDto {
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  draining?: boolean | null;
}

/** The key with which the node signs from now on; null: it has none, a Python server for one. */
export class AcceptKeyRequestDto {
  @ValidateIf(({ key_id }: AcceptKeyRequestDto) => key_id !== null)
  @Satisfies(keyIdProblem)
  key_id: string | null;
}

/** The operator's word that the node is off and cannot come back with its mounts. */
export class ForgetRequestDto {
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  fenced?: boolean | null;
}
