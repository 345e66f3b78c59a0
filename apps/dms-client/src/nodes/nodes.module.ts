import { Module } from '@nestjs/common';
import { brokerProvider, BROKER } from './broker.provider';
import { HelloListener } from './hello.listener';
import { NodeClientProxy } from './node-client.proxy';
import { NODE_COMMANDS, NodeCommandsService } from './node-commands.service';
import { NodeViewsService } from './node-views.service';
import { NodesRepository } from './nodes.repository';

/** The nodes: what is known of them, and the way to command them. */
@Module({
  providers: [
    brokerProvider,
    NodeClientProxy,
    { provide: NODE_COMMANDS, useClass: NodeCommandsService },
    NodesRepository,
    NodeViewsService,
    HelloListener,
  ],
  exports: [BROKER, NODE_COMMANDS, NodesRepository, NodeViewsService],
})
export class NodesModule {}
