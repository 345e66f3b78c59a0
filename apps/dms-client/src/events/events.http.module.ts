import { Module } from '@nestjs/common';
import { MountsModule } from '../mounts/mounts.module';
import { NodesModule } from '../nodes/nodes.module';
import { EventAudienceService } from './event-audience.service';
import { EventExchangeListener } from './event-exchange.listener';
import { EventStreamsService } from './event-streams.service';
import { EventTargetsRepository } from './event-targets.repository';
import { EventsHttpController } from './events.http.controller';
import { EventsModule } from './events.module';
import { NodeEventsService } from './node-events.service';

/** Hearing events of nodes and of other dms-clients, and passing them on to subscribers. */
@Module({
  imports: [EventsModule, MountsModule, NodesModule],
  controllers: [EventsHttpController],
  providers: [
    EventAudienceService,
    EventExchangeListener,
    EventStreamsService,
    EventTargetsRepository,
    NodeEventsService,
  ],
})
export class EventsHttpModule {}
