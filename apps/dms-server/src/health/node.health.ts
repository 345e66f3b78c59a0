import { constants } from 'node:fs';
import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { alarmText, BrokerAlarm, logHealth, tlsHealth } from '@app/platform';
import { NodeCommandServer } from '../commands/node-command.server';
import { FENCE_MEMORY, type FenceMemory } from '../fence/fence-memory.interface';
import { WaysIn } from '../hello/ways-in';
import { requireUsable, requireUsableBases } from '../kernel/usable-path';
import { ProcessStarts } from '../processes/process-starts';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';

const CHECK_MS = 3_000;
const FUSE_DEVICE = '/dev/fuse';

/** What this node needs to do its work. Nothing here opens a connection or touches a mount. */
@Injectable()
export class NodeHealth {
  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(FENCE_MEMORY) private readonly memory: FenceMemory,
    private readonly indicators: HealthIndicatorService,
    private readonly commands: NodeCommandServer,
    private readonly ways: WaysIn,
    private readonly alarm: BrokerAlarm,
    private readonly starts: ProcessStarts,
  ) {}

  /** Commands are being consumed, and can be answered. */
  broker(): HealthIndicatorResult {
    const indicator = this.indicators.check('broker');
    const { reason } = this.alarm;
    if (reason !== null) return indicator.down(alarmText(reason));
    return this.commands.isConsuming ? indicator.up() : indicator.down('no commands are consumed');
  }

  /** Without `dms.<node>` the node is ready all the same, and says who cannot reach it. */
  legacyQueue(): HealthIndicatorResult {
    const indicator = this.indicators.check('legacy_queue');
    const { legacyQueueProblem: warning } = this.ways;
    return warning === null ? indicator.up() : indicator.up({ warning });
  }

  /** S3 targets can be mounted. */
  async fuse(): Promise<HealthIndicatorResult> {
    return await this.indicators
      .check('fuse')
      .attempt(() => requireUsable(FUSE_DEVICE, constants.R_OK | constants.W_OK))
      .withTimeout(CHECK_MS);
  }

  /** Mountpoints can be made. A base is a directory of this host, none of our mounts. */
  async mountBases(): Promise<HealthIndicatorResult> {
    return await this.indicators
      .check('mount_bases')
      .attempt(() => requireUsableBases(this.settings.mountBases))
      .withTimeout(CHECK_MS);
  }

  /** Programs such as mount(8) can be started. */
  async processes(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('processes');
    const problem = await this.starts.problem();
    return problem === null ? indicator.up() : indicator.down(`no process can be started: ${problem}`);
  }

  tls(): HealthIndicatorResult {
    return tlsHealth(this.indicators, this.settings.insecureTls);
  }

  log(): HealthIndicatorResult {
    return logHealth(this.indicators);
  }

  /** Epochs can be remembered: without that, commands are refused. */
  fenceMemory(): HealthIndicatorResult {
    const indicator = this.indicators.check('memory');
    const problem = this.memory.problem();
    return problem === null ? indicator.up() : indicator.down(problem);
  }
}
