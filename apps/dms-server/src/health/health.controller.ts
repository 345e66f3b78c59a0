import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { NodeHealth } from './node.health';

@Controller('health')
export class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly node: NodeHealth,
  ) {}

  /** The process turns: that this is answered is the check. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.checks.check([]);
  }

  /** The node takes commands and can carry them out; 503 where it cannot. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.checks.check([
      () => this.node.broker(),
      () => this.node.legacyQueue(),
      () => this.node.fuse(),
      () => this.node.mountBases(),
      () => this.node.fenceMemory(),
      () => this.node.processes(),
      () => this.node.tls(),
      () => this.node.log(),
    ]);
  }
}
