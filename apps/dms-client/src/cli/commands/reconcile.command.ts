import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { ExitStatus } from '../exit-status';
import { Output } from '../output';
import { reconcileView } from '../views/views';
import { type CommonOptions, DmsCommand } from './dms.command';

/** Some nodes did not answer: to be tried again later. */
const TEMPORARY = 75;

interface ReconcileOptions extends CommonOptions {
  readonly host?: string;
  readonly dryRun?: boolean;
}

@Command({
  name: 'reconcile',
  description: 'Compare the ledger with what the nodes see, repair it, and tell every difference.',
})
export class ReconcileCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
    private readonly status: ExitStatus,
  ) {
    super();
  }

  async run(_: string[], { host, dryRun = false, format }: ReconcileOptions): Promise<void> {
    const body = await this.output.during('reconciling', async () =>
      (await this.connection.open()).reconcile({ host: host ?? null, dry_run: dryRun }),
    );
    await this.output.print(format, body, reconcileView);
    for (const node of body.unreachable) {
      this.output.warn(`${node.error_code}: ${node.host} was not compared: ${node.error_msg}`);
    }
    for (const { host: name, reason } of body.not_compared ?? []) {
      this.output.warn(`${name} was not compared: ${reason}`);
    }
    if (body.unreachable.length > 0) this.status.code = TEMPORARY;
  }

  @Option({ flags: '--host <name>', description: 'this node only' })
  host(value: string): string {
    return value;
  }

  @Option({ flags: '--dry-run', description: 'only tell the differences' })
  dryRun(): boolean {
    return true;
  }
}
