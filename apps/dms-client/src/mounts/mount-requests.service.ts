import { Injectable, Logger } from '@nestjs/common';
import {
  DmsError,
  type MountResponseDto,
  type OperationDto,
  type TargetAction,
  type TargetRequestDto,
} from '@app/contracts';
import { ALL_PROJECTS, type ProjectScope } from '../access/identity';
import { OperationsService } from '../operations/operations.service';
import { type Begun, IdempotencyService } from './idempotency.service';
import { MountsService, type SubmitOptions } from './mounts.service';
import { type TargetResponse } from './waiting-request';

/** Under which key a request comes, and for whom; without a key it is one of its own. */
interface KeyedRequest {
  readonly key: string | undefined;
  readonly scope: ProjectScope;
}

/** A request as it comes over HTTP: once for each idempotency key, and answered at its end or at its beginning. */
@Injectable()
export class MountRequestsService {
  readonly #log = new Logger(MountRequestsService.name);

  constructor(
    private readonly mounts: MountsService,
    private readonly idempotency: IdempotencyService,
    private readonly operations: OperationsService,
  ) {}

  /** Carries the request out and answers when it has ended. Errors as in MountsService and IdempotencyService. */
  async execute(
    action: TargetAction,
    request: TargetRequestDto,
    { key, scope, ...options }: KeyedRequest & Pick<SubmitOptions, 'caller' | 'onTaken'>,
  ): Promise<TargetResponse> {
    const execute = (begun: Begun): Promise<TargetResponse> =>
      this.#run(action, request, { ...options, scope, ...begun });
    const { response, isRepeated } = await this.idempotency.once({ key, scope }, action, request, execute);
    if (isRepeated && action === 'mount') await this.mounts.lookAgain(request, response as MountResponseDto);
    return response;
  }

  /** Takes the request in and answers with its operation; it goes on by itself, and its end stands in the operation. */
  async begin(
    action: TargetAction,
    request: TargetRequestDto,
    { key, scope }: KeyedRequest,
  ): Promise<OperationDto> {
    const operationId = await this.idempotency.begun({ key, scope }, action, request, (begun) =>
      this.#start(action, request, { scope, ...begun }),
    );
    return this.operations.get(operationId, ALL_PROJECTS);
  }

  /** @returns the id of the operation once it stands in the ledger; the request goes on by itself */
  #start(
    action: TargetAction,
    request: TargetRequestDto,
    options: SubmitOptions & { readonly operationId: string },
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const onTaken = (): void => resolve(options.operationId);
      this.#run(action, request, { ...options, onTaken }).then(onTaken, (error: unknown) => {
        this.#log.log({ msg: `An asynchronous ${action} failed`, err: error });
        reject(DmsError.from(error));
      });
    });
  }

  #run(action: TargetAction, request: TargetRequestDto, options: SubmitOptions): Promise<TargetResponse> {
    return action === 'mount' ? this.mounts.mount(request, options) : this.mounts.unmount(request, options);
  }
}
