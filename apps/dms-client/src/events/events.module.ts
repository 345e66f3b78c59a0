import { Module } from '@nestjs/common';
import { NodesModule } from '../nodes/nodes.module';
import { EventPublisher } from './event-publisher';
import { EventsService } from './events.service';

/** Telling others what was committed; the command line does this, too. */
@Module({
  imports: [NodesModule],
  providers: [EventPublisher, EventsService],
  exports: [EventPublisher, EventsService],
})
export class EventsModule {}
