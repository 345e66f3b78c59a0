import { Module } from '@nestjs/common';
import { NodeAdministrationService } from './node-administration.service';
import { NodeFactsRepository } from './node-facts.repository';
import { NodeLooksService } from './node-looks.service';
import { NodesHttpController } from './nodes.http.controller';
import { NodesModule } from './nodes.module';
import { NodesService } from './nodes.service';

/** Showing the nodes, and asking them what they see. */
@Module({
  imports: [NodesModule],
  controllers: [NodesHttpController],
  providers: [NodeAdministrationService, NodeFactsRepository, NodeLooksService, NodesService],
  exports: [NodeAdministrationService, NodeFactsRepository, NodeLooksService, NodesService],
})
export class NodesHttpModule {}
