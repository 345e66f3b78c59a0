import { Body, Controller, Headers, HttpCode, Post, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiTags } from '@nestjs/swagger';
import {
  type MountResponseDto,
  parseTargetRequest,
  type TargetAction,
  TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { type Response } from 'express';
import { Caller } from '../http/caller.decorator';
import { MountRequestsService } from './mount-requests.service';

@ApiTags('mounts')
@ApiHeader({
  name: 'Idempotency-Key',
  required: false,
  description: 'The same key again gets the same answer.',
})
@ApiHeader({
  name: 'Prefer',
  required: false,
  description: 'respond-async: 202 with the operation, at once.',
})
@Controller('api/v1')
export class MountsHttpController {
  constructor(private readonly requests: MountRequestsService) {}

  /** Mounts the target for the job, or lets the job join the mount that stands. */
  @ApiBody({ type: TargetRequestDto })
  @Post('mount')
  @HttpCode(200)
  async mount(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Caller() caller: AbortSignal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<MountResponseDto> {
    return (await this.#handle('mount', body, { key, prefer, caller }, response)) as MountResponseDto;
  }

  /** Ends the job's hold; the last hold takes the mount away. */
  @ApiBody({ type: TargetRequestDto })
  @Post('unmount')
  @HttpCode(200)
  async unmount(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Caller() caller: AbortSignal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UnmountResponseDto> {
    return (await this.#handle('unmount', body, { key, prefer, caller }, response)) as UnmountResponseDto;
  }

  async #handle(
    action: TargetAction,
    body: unknown,
    { key, prefer, caller }: { key: string | undefined; prefer: string | undefined; caller: AbortSignal },
    response: Response,
  ): Promise<object> {
    const request = parseTargetRequest(body, action);
    if (!/(^|[,;\s])respond-async($|[,;\s])/.test(prefer ?? '')) {
      return this.requests.execute(action, request, { key, caller });
    }
    const operation = await this.requests.begin(action, request, key);
    response.status(202).location(`/api/v1/operations/${operation.id}`);
    return operation;
  }
}
