import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import { MetricsPage } from '@app/platform/metrics';
import { type Response } from 'express';
import { Access } from '../access/access.decorator';

@ApiTags('health')
@Access('open')
@Controller('metrics')
export class MetricsController {
  constructor(private readonly page: MetricsPage) {}

  /** For Prometheus; docs/METRICS.md says what each value means. */
  @Get()
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: 'Text exposition format 0.0.4', schema: { type: 'string' } })
  async metrics(@Res() response: Response): Promise<void> {
    response.setHeader('Content-Type', this.page.contentType);
    response.send(await this.page.text());
  }
}
