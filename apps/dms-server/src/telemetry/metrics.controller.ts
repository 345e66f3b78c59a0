import { Controller, Get, Header, Res } from '@nestjs/common';
import { MetricsPage } from '@app/platform/metrics';

/** As much of Express' answer as is needed here. */
interface Answer {
  setHeader(name: string, value: string): unknown;
  send(body: string): unknown;
}

@Controller('metrics')
export class MetricsController {
  constructor(private readonly page: MetricsPage) {}

  /** For Prometheus; docs/METRICS.md says what each value means. */
  @Get()
  @Header('Cache-Control', 'no-store')
  async metrics(@Res() response: Answer): Promise<void> {
    response.setHeader('Content-Type', this.page.contentType);
    response.send(await this.page.text());
  }
}
