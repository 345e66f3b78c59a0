import { Controller, Delete, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type LockListDto } from '@app/contracts';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { ParametersPipe } from '../queries/parameters.pipe';
import { LockPathDto } from './locks.dto';
import { LocksService } from './locks.service';

@ApiTags('administration')
@Controller('api/v1/admin/locks')
export class LocksHttpController {
  constructor(private readonly locks: LocksService) {}

  /** Which process works on which target. */
  @Access('operate')
  @Get()
  @Answers('The leases of targets that are held or waited for.')
  list(): Promise<LockListDto> {
    return this.locks.list();
  }

  /** Takes a lock away: its holder writes nothing any more, and the target is fenced by the next one. */
  @Access('administer')
  @Delete(':host/:backup_target_id')
  @Answers('The leases that are left.', 'NOT_FOUND', 'LOCK_TIMEOUT', 'TIMEOUT')
  release(@Param(ParametersPipe) { host, backup_target_id }: LockPathDto): Promise<LockListDto> {
    return this.locks.release({ host, targetId: backup_target_id });
  }
}
