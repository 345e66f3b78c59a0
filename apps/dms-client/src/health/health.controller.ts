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
import { BrokerHealthIndicator } from './broker.health';
import { LedgerHealthIndicator } from './ledger.health';

@ApiTags('health')
@Access('open')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: LedgerHealthIndicator,
    private readonly broker: BrokerHealthIndicator,
    private readonly indicators: HealthIndicatorService,
    @Inject(SETTINGS) private readonly settings: Pick<ClientSettings, 'insecureTls'>,
  ) {}

  /** The process turns. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** Returns 200 if the broker can be reached and the database accepts writes. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.database.check('database'),
      () => this.broker.check('broker'),
      () => this.tls(),
      () => this.log(),
    ]);
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
