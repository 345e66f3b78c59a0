import { Module } from '@nestjs/common';
import { BrokerAlarm } from '@app/platform';
import { BROKER, brokerAlarmProvider, brokerProvider } from './broker.provider';
import { CommandRoutes } from './command-routes';
import { CommandSigner, commandSignerProvider } from './command-signer';
import { HelloListener } from './hello.listener';
import { MountReports } from './mount-reports';
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
    brokerAlarmProvider,
    brokerProvider,
    commandSignerProvider,
    TokenSealer,
    NodePinsRepository,
    NodeTrustService,
    ReplyTrustService,
    CommandRoutes,
    NodeClientProxy,
    { provide: NODE_COMMANDS, useClass: NodeCommandsService },
    NodesRepository,
    NodeViewsService,
    MountReports,
    HelloListener,
  ],
  exports: [
    BROKER,
    BrokerAlarm,
    CommandSigner,
    MountReports,
    NODE_COMMANDS,
    NodeClientProxy,
    NodePinsRepository,
    NodesRepository,
    NodeTrustService,
    NodeViewsService,
  ],
})
export class NodesModule {}
