import { BaseRpcContext } from '@nestjs/microservices';
import { type Deadline } from '../providers/target-provider.interface';

/** What a handler knows of a command beside its body. */
export class CommandContext extends BaseRpcContext<[]> {
  constructor(
    /** How long the sender waits, counted from when the command was received. */
    readonly deadline: Deadline,
    /**
     * Whether somebody still waits for the answer; to be asked just before acting. Only programs that send commands
     * without an expiration are ever asked after: of them a command may be an hour old.
     */
    readonly callerWaits: () => Promise<boolean>,
  ) {
    super([]);
  }
}
