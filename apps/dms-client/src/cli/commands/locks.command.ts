import { type LockListDto } from '@app/contracts';
import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { type DmsApi } from '../api/dms-api';
import { Output } from '../output';
import { UsageError } from '../usage-error';
import { locksView } from '../views/views';
import { type CommonOptions, DmsCommand } from './dms.command';

interface LocksOptions extends CommonOptions {
  readonly release?: boolean;
  readonly host?: string;
  readonly targetId?: string;
}

@Command({
  name: 'locks',
  description: 'Show which process works on which target, or take a lock away.',
})
export class LocksCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run(_: string[], { release = false, host, targetId, format }: LocksOptions): Promise<void> {
    if (release && (host === undefined || targetId === undefined)) {
      throw new UsageError('--release needs --host and --target-id');
    }
    const api = await this.output.during('connecting', () => this.connection.open());
    const body =
      release && host !== undefined && targetId !== undefined
        ? await api.releaseLock(host, targetId)
        : await shownOf(api, host, targetId);
    await this.output.print(format, body, locksView);
  }

  @Option({ flags: '--release', description: 'take the lock of --host and --target-id away' })
  release(): boolean {
    return true;
  }

  @Option({ flags: '--host <name>', description: 'of this node only' })
  host(value: string): string {
    return value;
  }

  @Option({ flags: '--target-id <id>', description: 'of this backup target only' })
  targetId(value: string): string {
    return value;
  }
}

async function shownOf(api: DmsApi, host?: string, targetId?: string): Promise<LockListDto> {
  const { locks } = await api.locks();
  return {
    locks: locks.filter(
      (lock) =>
        (host === undefined || lock.host === host) &&
        (targetId === undefined || lock.backup_target_id === targetId),
    ),
  };
}
