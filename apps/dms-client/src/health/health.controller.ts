import { Controller, Get, Inject } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  type HealthIndicatorResult,
  HealthIndicatorService,
  HealthCheckService,
  TypeOrmHealthIndicator,
} from '@nestjs/terminus';
import { INSECURE_TLS_WARNING } from '@app/platform';
import { Access } from '../access/access.decorator';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { BrokerHealthIndicator } from './broker.health';

const DATABASE_TIMEOUT_MS = 2_000;

@ApiTags('health')
@Access('open')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: TypeOrmHealthIndicator,
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

  /** Broker and database can be reached. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.database.pingCheck('database', { timeout: DATABASE_TIMEOUT_MS }),
      () => this.broker.check('broker'),
      () => this.tls(),
    ]);
  }

  /** A client that checks no certificates is ready, and says so. */
  private tls(): HealthIndicatorResult {
    const indicator = this.indicators.check('tls');
    return this.settings.insecureTls ? indicator.up({ warning: INSECURE_TLS_WARNING }) : indicator.up();
  }
}
