import { Injectable } from '@nestjs/common';
import { DmsError, type HistoryDto, type OperationDto, type OperationListDto } from '@app/contracts';
import { type ProjectScope } from '../access/identity';
import { DEFAULT_LIMIT } from '../queries/parameter.decorators';
import { LateGrantsService } from './late-grants.service';
import { decodeCursor, encodeCursor } from './operation-cursor';
import { type OperationsQueryDto } from './operations.dto';
import { OperationsRepository } from './operations.repository';

/**
 * Reads the records of what was asked for and what became of it. Those of other projects than the caller's are as if
 * there were none. All throw DmsError LEDGER_UNAVAILABLE.
 */
@Injectable()
export class OperationsService {
  constructor(
    private readonly operations: OperationsRepository,
    private readonly lateGrants: LateGrantsService,
  ) {}

  /** One page, newest first. */
  async list(
    { limit = DEFAULT_LIMIT, cursor, ...filter }: OperationsQueryDto,
    scope: ProjectScope,
  ): Promise<OperationListDto> {
    const before = cursor === undefined ? undefined : (decodeCursor(cursor) ?? undefined);
    const found = await this.operations.find({ ...filter, ...within(scope), before }, limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      operations: page.map(({ operation }) => operation),
      next_cursor: found.length > limit && last !== undefined ? encodeCursor(last.cursor) : null,
    };
  }

  /** @throws DmsError NOT_FOUND; TIMEOUT as in LateGrantsService */
  async get(id: string, scope: ProjectScope): Promise<OperationDto> {
    const [found] = await this.operations.find({ id, ...within(scope) }, 1);
    if (found === undefined) throw new DmsError('NOT_FOUND', 'id: no operation has this id');
    await this.lateGrants.grant(found.operation);
    return found.operation;
  }

  /** What was asked for one target, on all hosts, newest first. */
  async history(backupTargetId: string, scope: ProjectScope, limit = DEFAULT_LIMIT): Promise<HistoryDto> {
    const filter = { backup_target_id: backupTargetId, ...within(scope) };
    const found = await this.operations.find(filter, limit);
    return {
      backup_target_id: backupTargetId,
      operations: found.map(({ operation }) => operation),
    };
  }
}

function within({ projectId }: ProjectScope): { project_id?: string } {
  return projectId === null ? {} : { project_id: projectId };
}
