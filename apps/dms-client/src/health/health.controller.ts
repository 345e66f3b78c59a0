import { Controller, Get, Inject } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  type HealthIndicatorResult,
  HealthIndicatorService,
  HealthCheckService,
} from '@nestjs/terminus';
import { INSECURE_TLS_WARNING, logLoss } from '@app/platform';
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
      () => this.tls(),
      () => this.log(),
    ]);
  }

  /** Proxies and orchestrators send no new requests to a client that is being stopped. */
  private facade(): HealthIndicatorResult {
    const indicator = this.indicators.check('facade');
    return this.stop.isStopping ? indicator.down('dms-client is being stopped') : indicator.up();
  }

  /** A client that checks no certificates is ready, and says so. */
  private tls(): HealthIndicatorResult {
    const indicator = this.indicators.check('tls');
    return this.settings.insecureTls ? indicator.up({ warning: INSECURE_TLS_WARNING }) : indicator.up();
  }

  /** Without its log the client is ready all the same, and says what was lost. */
  private log(): HealthIndicatorResult {
    const { lines, problem } = logLoss();
    const indicator = this.indicators.check('log');
    return indicator.up({ lost_lines: lines, ...(problem === null ? {} : { warning: problem }) });
  }
}
