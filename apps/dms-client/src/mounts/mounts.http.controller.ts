import { Body, Controller, Headers, HttpCode, Post, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBody, ApiHeader, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import {
  MountResponseDto,
  OperationDto,
  parseTargetRequest,
  type TargetAction,
  TargetRequestDto,
  UnmountResponseDto,
} from '@app/contracts';
import { type Response } from 'express';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { type Identity } from '../access/identity';
import { CallerIdentity } from '../access/request-identity';
import { LoadLimitService } from '../access/load-limit.service';
import { authorizeRequest } from '../access/request-project';
import { Caller } from '../http/caller.decorator';
import { MountRequestsService } from './mount-requests.service';
import { type CallerPresence } from './waiting-request';

/** What a request says beside its body. */
interface Asked {
  readonly key: string | undefined;
  readonly prefer: string | undefined;
  readonly caller: CallerPresence;
  readonly identity: Identity;
}

/** The answer to `Prefer: respond-async`. */
const LATER = {
  type: OperationDto,
  description: 'With Prefer: respond-async. The operation, whose end is found at Location.',
  headers: { Location: { description: 'Path of the operation.', schema: { type: 'string' as const } } },
};

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
  constructor(
    private readonly requests: MountRequestsService,
    private readonly load: LoadLimitService,
  ) {}

  /** Mounts the target for the job, or lets the job join the mount that stands. */
  @ApiBody({ type: TargetRequestDto })
  @ApiOkResponse({ type: MountResponseDto })
  @ApiAcceptedResponse(LATER)
  @Access('change')
  @Post('mount')
  @HttpCode(200)
  @Answers(
    'The target is mounted for the job until it asks for the unmount.',
    'CONFLICT',
    'BUSY',
    'NOT_FOUND',
    'MOUNT_FAILED',
    'SECRET_UNAVAILABLE',
    'NODE_FULL',
    'NODE_UNREACHABLE',
    'BROKER_UNAVAILABLE',
    'TIMEOUT',
    'LOCK_TIMEOUT',
  )
  async mount(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Caller() caller: CallerPresence,
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
  @ApiOkResponse({ type: UnmountResponseDto })
  @ApiAcceptedResponse(LATER)
  @Access('change')
  @Post('unmount')
  @HttpCode(200)
  @Answers(
    'The job holds the target no more; error_code says why the mount still stands, or is not cleanly gone.',
    'UNMOUNTED_DIRTY',
    'CONFLICT',
    'BUSY',
    'UNMOUNT_FAILED',
    'NODE_UNREACHABLE',
    'BROKER_UNAVAILABLE',
    'TIMEOUT',
    'LOCK_TIMEOUT',
  )
  async unmount(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Caller() caller: CallerPresence,
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
    if (!/(^|[,;\s])respond-async($|[,;\s])/i.test(prefer ?? '')) {
      const onTaken = (): void => this.load.standAside(response);
      return this.requests.execute(action, request, { key, caller, scope, onTaken });
    }
    const operation = await this.requests.begin(action, request, { key, scope });
    response.status(202).location(`/api/v1/operations/${operation.id}`);
    response.setHeader('Preference-Applied', 'respond-async');
    return operation;
  }
}
