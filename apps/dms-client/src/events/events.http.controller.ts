import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import { StateEventDto } from '@app/contracts';
import { type Request, type Response } from 'express';
import { Access } from '../access/access.decorator';
import { Answers } from '../http/answers.decorator';
import { IdentityWatch } from '../access/identity-watch.service';
import { type Identity } from '../access/identity';
import { LoadLimitService } from '../access/load-limit.service';
import { scopeOf } from '../access/policy';
import { CallerIdentity } from '../access/request-identity';
import { ParametersPipe } from '../queries/parameters.pipe';
import { EventStreamsService } from './event-streams.service';
import { EventsQueryDto } from './events.dto';

@ApiTags('events')
@Controller('api/v1')
export class EventsHttpController {
  constructor(
    private readonly streams: EventStreamsService,
    private readonly identities: IdentityWatch,
    private readonly load: LoadLimitService,
  ) {}

  /** Server-sent events from now on: what happens to mounts and holds, and to operations. Ends with the credentials. */
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description:
      'Id of the last event that was read: what came since is told first, as far as it is remembered.',
  })
  @ApiProduces('text/event-stream')
  @ApiOkResponse({ type: StateEventDto, description: 'The data of each event.' })
  @Access('read')
  @Get('events')
  @Answers('The data of each event.')
  events(
    @Query(ParametersPipe) filter: EventsQueryDto,
    @Headers('last-event-id') lastEventId: string | undefined,
    @CallerIdentity() identity: Identity,
    @Req() request: Request,
    @Res() response: Response,
  ): void {
    if (response.closed) return;
    const scope = scopeOf(identity);
    this.streams.requireRoom(scope);
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx would hold events back.
      'x-accel-buffering': 'no',
    });
    this.load.standAside(response);
    this.streams.open(filter, response, scope, lastEventId ?? null);
    response.once(
      'close',
      this.identities.watch(request, identity, () => response.end()),
    );
  }
}
