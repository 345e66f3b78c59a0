import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import { StateEventDto } from '@app/contracts';
import { type Response } from 'express';
import { ParametersPipe } from '../queries/parameters.pipe';
import { EventStreamsService } from './event-streams.service';
import { EventsQueryDto } from './events.dto';

@ApiTags('events')
@Controller('api/v1')
export class EventsHttpController {
  constructor(private readonly streams: EventStreamsService) {}

  /** Server-sent events from now on: what happens to mounts and holds, and to operations. */
  @ApiProduces('text/event-stream')
  @ApiOkResponse({ type: StateEventDto, description: 'The data of each event.' })
  @Get('events')
  events(@Query(ParametersPipe) filter: EventsQueryDto, @Res() response: Response): void {
    this.streams.requireRoom();
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx would hold events back.
      'x-accel-buffering': 'no',
    });
    this.streams.open(filter, response);
  }
}
