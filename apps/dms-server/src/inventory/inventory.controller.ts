import { Controller, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { CommandContext } from '../commands/command.context';
import { CommandErrorFilter } from '../commands/command-error.filter';
import { type CommandResult } from '../commands/command-result';
import { InventoryService } from './inventory.service';

@Controller()
@UseFilters(CommandErrorFilter)
export class InventoryController {
  constructor(private readonly inventory: InventoryService) {}

  @MessagePattern('inventory')
  answer(@Ctx() context: CommandContext): Promise<CommandResult> {
    return this.inventory.answer(context.deadline);
  }
}
