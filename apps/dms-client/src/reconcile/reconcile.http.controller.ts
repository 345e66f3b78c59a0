import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { type ReconcileResponseDto } from '@app/contracts';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { ParametersPipe } from '../queries/parameters.pipe';
import { ReconcileRequestDto } from './reconcile.dto';
import { ReconcilerService } from './reconciler.service';

@ApiTags('administration')
@Controller('api/v1/admin')
export class ReconcileHttpController {
  constructor(private readonly reconciler: ReconcilerService) {}

  /** Compares the ledger with what the nodes see, repairs, and reports every difference. */
  @ApiBody({ type: ReconcileRequestDto, required: false })
  @Access('operate')
  @Post('reconcile')
  @HttpCode(200)
  @Answers(
    'Every difference and what became of it, and the nodes that could not be compared.',
    'NOT_FOUND',
    'LOCK_TIMEOUT',
    'TIMEOUT',
  )
  reconcile(@Body(ParametersPipe) { host, dry_run }: ReconcileRequestDto): Promise<ReconcileResponseDto> {
    return this.reconciler.reconcile(host ?? null, dry_run ?? false);
  }
}
