import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type NodeDetailDto, type NodeListDto } from '@app/contracts';
import { ParametersPipe } from '../queries/parameters.pipe';
import { NodePathDto } from './nodes.dto';
import { NodesService } from './nodes.service';

@ApiTags('nodes')
@Controller('api/v1/nodes')
export class NodesHttpController {
  constructor(private readonly nodes: NodesService) {}

  /** The known nodes and when they were last seen. */
  @Get()
  list(): Promise<NodeListDto> {
    return this.nodes.list();
  }

  /** A node, what it sees now, and how that differs from the ledger. */
  @Get(':host')
  get(@Param(ParametersPipe) { host }: NodePathDto): Promise<NodeDetailDto> {
    return this.nodes.get(host);
  }
}
