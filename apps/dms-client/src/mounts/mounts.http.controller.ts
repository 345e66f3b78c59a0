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
import { Access } from '../access/access.decorator';
import { type Identity } from '../access/identity';
import { CallerIdentity } from '../access/request-identity';
import { authorizeRequest } from '../access/request-project';
import { Caller } from '../http/caller.decorator';
import { MountRequestsService } from './mount-requests.service';

/** What a request says beside its body. */
interface Asked {
  readonly key: string | undefined;
  readonly prefer: string | undefined;
  readonly caller: AbortSignal;
  readonly identity: Identity;
}

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
  @Access('change')
  @Post('mount')
  @HttpCode(200)
  async mount(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Caller() caller: AbortSignal,
    @CallerIdentity() identity: Identity,
    @Res({ passthrough: true }) response: Response,
  ): Promise<MountResponseDto> {
    return (await this.#handle(
      'mount',
      body,
      { key, prefer, caller, identity },
      response,
    )) as MountResponseDto;
  }

  /** Ends the job's hold; the last hold takes the mount away. */
  @ApiBody({ type: TargetRequestDto })
  @Access('change')
  @Post('unmount')
  @HttpCode(200)
  async unmount(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Caller() caller: AbortSignal,
    @CallerIdentity() identity: Identity,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UnmountResponseDto> {
    return (await this.#handle(
      'unmount',
      body,
      { key, prefer, caller, identity },
      response,
    )) as UnmountResponseDto;
  }

  async #handle(
    action: TargetAction,
    body: unknown,
    { key, prefer, caller, identity }: Asked,
    response: Response,
  ): Promise<object> {
    const { request, scope } = authorizeRequest(parseTargetRequest(body, action), identity);
    if (!/(^|[,;\s])respond-async($|[,;\s])/.test(prefer ?? '')) {
      return this.requests.execute(action, request, { key, caller, scope });
    }
    const operation = await this.requests.begin(action, request, { key, scope });
    response.status(202).location(`/api/v1/operations/${operation.id}`);
    return operation;
  }
}
