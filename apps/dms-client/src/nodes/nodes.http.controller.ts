import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { type NodeDetailDto, type NodeListDto } from '@app/contracts';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { ParametersPipe } from '../queries/parameters.pipe';
import { NodeAdministrationService } from './node-administration.service';
import { AcceptKeyRequestDto, DrainRequestDto, ForgetRequestDto, NodePathDto } from './nodes.dto';
import { NodesService } from './nodes.service';

@ApiTags('nodes')
@Controller('api/v1/nodes')
export class NodesHttpController {
  constructor(
    private readonly nodes: NodesService,
    private readonly administration: NodeAdministrationService,
  ) {}

  /** The known nodes and when they were last seen. */
  @Access('operate')
  @Get()
  @Answers('The known nodes.')
  list(): Promise<NodeListDto> {
    return this.nodes.list();
  }

  /** A node, what it sees now, and how that differs from the ledger. */
  @Access('operate')
  @Get(':host')
  @Answers('The node; where it did not answer, what is known of it and why.', 'NOT_FOUND')
  get(@Param(ParametersPipe) { host }: NodePathDto): Promise<NodeDetailDto> {
    return this.nodes.get(host);
  }

  /** Lets no new holds onto the node, or lets them again; what is held stays. */
  @ApiBody({ type: DrainRequestDto, required: false })
  @Access('administer')
  @Post(':host/drain')
  @HttpCode(200)
  @Answers('The node, as it is now.', 'NOT_FOUND')
  drain(
    @Param(ParametersPipe) { host }: NodePathDto,
    @Body(ParametersPipe) { draining }: DrainRequestDto,
  ): Promise<NodeDetailDto> {
    return this.administration.drain(host, draining ?? true);
  }

  /** Says which key is the node's, after another one was refused. */
  @Access('administer')
  @Post(':host/accept-key')
  @HttpCode(200)
  @Answers('The node, with that key.', 'NOT_FOUND')
  acceptKey(
    @Param(ParametersPipe) { host }: NodePathDto,
    @Body(ParametersPipe) { key_id }: AcceptKeyRequestDto,
  ): Promise<NodeDetailDto> {
    return this.administration.acceptKey(host, key_id);
  }

  /** Gives up a node that is gone for good: what was held there is lost. */
  @Access('administer')
  @Post(':host/forget')
  @HttpCode(200)
  @Answers('The node, forgotten.', 'NOT_FOUND', 'CONFLICT', 'LOCK_TIMEOUT', 'TIMEOUT')
  forget(
    @Param(ParametersPipe) { host }: NodePathDto,
    @Body(ParametersPipe) { fenced }: ForgetRequestDto,
  ): Promise<NodeDetailDto> {
    return this.administration.forget(host, fenced ?? false);
  }
}
