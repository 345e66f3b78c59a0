import { Controller, Get, Inject } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  type HealthIndicatorResult,
  HealthIndicatorService,
  HealthCheckService,
} from '@nestjs/terminus';
import { logHealth, tlsHealth } from '@app/platform';
import { Access } from '../access/access.decorator';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { StopService } from '../stop/stop.service';
import { BrokerHealthIndicator } from './broker.health';
import { LedgerHealthIndicator } from './ledger.health';
import { NodesHealthIndicator } from './nodes.health';

@ApiTags('health')
@Access('open')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: LedgerHealthIndicator,
    private readonly broker: BrokerHealthIndicator,
    private readonly nodes: NodesHealthIndicator,
    private readonly stop: StopService,
    private readonly indicators: HealthIndicatorService,
    @Inject(SETTINGS) private readonly settings: Pick<ClientSettings, 'insecureTls'>,
  ) {}

  /** The process responds. Terminus would say no while the program stops, which is no reason to kill it. */
  @Get('live')
  @HealthCheck()
  live(): HealthCheckResult {
    return { status: 'ok', info: {}, error: {}, details: {} };
  }

  /** Returns 200 if the broker can be reached, the database accepts writes, and dms-client is not being stopped. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.database.check('database'),
      () => this.broker.check('broker'),
      () => this.nodes.check('nodes'),
      () => this.facade(),
      () => tlsHealth(this.indicators, this.settings.insecureTls),
      () => logHealth(this.indicators),
    ]);
  }

  /** Proxies and orchestrators send no new requests to a client that is being stopped. */
  private facade(): HealthIndicatorResult {
    const indicator = this.indicators.check('facade');
    return this.stop.isStopping ? indicator.down('dms-client is being stopped') : indicator.up();
  }
}
