import { Module } from '@nestjs/common';
import { brokerProvider, BROKER } from './broker.provider';
import { commandSignerProvider } from './command-signer';
import { HelloListener } from './hello.listener';
import { NodeClientProxy } from './node-client.proxy';
import { NODE_COMMANDS, NodeCommandsService } from './node-commands.service';
import { NodePinsRepository } from './node-pins.repository';
import { NodeTrustService } from './node-trust.service';
import { NodeViewsService } from './node-views.service';
import { NodesRepository } from './nodes.repository';
import { ReplyTrustService } from './reply-trust.service';
import { TokenSealer } from './token-sealer.service';

/** The nodes: what is known of them, and the way to command them. */
@Module({
  providers: [
    brokerProvider,
    commandSignerProvider,
    TokenSealer,
    NodePinsRepository,
    NodeTrustService,
    ReplyTrustService,
    NodeClientProxy,
    { provide: NODE_COMMANDS, useClass: NodeCommandsService },
    NodesRepository,
    NodeViewsService,
    HelloListener,
  ],
  exports: [
    BROKER,
    NODE_COMMANDS,
    NodeClientProxy,
    NodePinsRepository,
    NodesRepository,
    NodeTrustService,
    NodeViewsService,
  ],
})
export class NodesModule {}
