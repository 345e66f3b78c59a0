import { Controller, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { type LookCommand, type TargetCommand } from '@app/contracts';
import { CommandContext } from '../commands/command.context';
import { CommandErrorFilter } from '../commands/command-error.filter';
import { type CommandResult } from '../commands/command-result';
import { LooksService } from './looks.service';
import { TargetCommandsService } from './target-commands.service';

/** The ways in from the node's queue. Bodies were checked by the transport. */
@Controller()
@UseFilters(CommandErrorFilter)
export class MountsController {
  constructor(
    private readonly commands: TargetCommandsService,
    private readonly looks: LooksService,
  ) {}

  @MessagePattern('mount')
  mount(@Payload() command: TargetCommand, @Ctx() context: CommandContext): Promise<CommandResult> {
    return this.commands.execute(command, context);
  }

  @MessagePattern('unmount')
  unmount(@Payload() command: TargetCommand, @Ctx() context: CommandContext): Promise<CommandResult> {
    return this.commands.execute(command, context);
  }

  @MessagePattern('fence')
  fence(@Payload() command: LookCommand, @Ctx() context: CommandContext): Promise<CommandResult> {
    return this.commands.execute(command, context);
  }

  /** Takes no epoch and waits for nothing. */
  @MessagePattern('probe')
  probe(@Payload() command: LookCommand, @Ctx() context: CommandContext): Promise<CommandResult> {
    return this.looks.probe(command, context.deadline);
  }
}
