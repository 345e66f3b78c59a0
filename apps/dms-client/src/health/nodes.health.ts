import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { CommandSigner } from '../nodes/command-signer';
import { problemOf } from '../nodes/node-problem';
import { NodeViewsService } from '../nodes/node-views.service';

/** A readiness text is read by people. */
const MAX_NAMED = 5;

/** Tells of nodes that are up and carry out no command. dms-client is ready all the same: the others do. */
@Injectable()
export class NodesHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    @Inject(NodeViewsService) private readonly views: Pick<NodeViewsService, 'upHosts' | 'heardProblem'>,
    @Inject(CommandSigner) private readonly signer: Pick<CommandSigner, 'keyId'>,
  ) {}

  check(key: string): HealthIndicatorResult {
    const indicator = this.indicators.check(key);
    const problems = [...this.views.upHosts()].flatMap((host) => {
      const problem = problemOf(this.views.heardProblem(host) ?? {}, this.signer.keyId);
      return problem === null ? [] : [`node "${host}": ${problem}`];
    });
    if (problems.length === 0) return indicator.up();
    const more = problems.length > MAX_NAMED ? [`${problems.length - MAX_NAMED} more`] : [];
    return indicator.up({ warning: [...problems.slice(0, MAX_NAMED), ...more].join('; ') });
  }
}
