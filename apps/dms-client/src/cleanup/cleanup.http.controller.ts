import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type CleanupResponseDto } from '@app/contracts';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { ParametersPipe } from '../queries/parameters.pipe';
import { CleanupRequestDto } from './cleanup.dto';
import { CleanupService } from './cleanup.service';

@ApiTags('administration')
@Controller('api/v1/admin')
export class CleanupHttpController {
  constructor(private readonly cleanups: CleanupService) {}

  /** Removes bindings that were claimed, lost or released long ago; with `held`, also what is held. */
  @Access('administer')
  @Post('cleanup')
  @HttpCode(200)
  @Answers('What was removed, or would be.', 'LOCK_TIMEOUT', 'TIMEOUT')
  cleanup(@Body(ParametersPipe) request: CleanupRequestDto): Promise<CleanupResponseDto> {
    return this.cleanups.cleanup(request);
  }
}
