import { Module } from '@nestjs/common';
import { ApiConnection } from './api/api-connection';
import { Commander } from './commander.provider';
import { CleanupCommand } from './commands/cleanup.command';
import { HistoryCommand } from './commands/history.command';
import { ListMountsCommand } from './commands/list-mounts.command';
import { LocksCommand } from './commands/locks.command';
import { MigrateCommand } from './commands/migrate.command';
import { MountCommand } from './commands/mount.command';
import { NodesCommand } from './commands/nodes.command';
import { OperationsCommand } from './commands/operations.command';
import { ReconcileCommand } from './commands/reconcile.command';
import { RunCommand } from './commands/run.command';
import { StatusCommand } from './commands/status.command';
import { UnmountCommand } from './commands/unmount.command';
import { ExitStatus } from './exit-status';
import { Output } from './output';

/** The commands. What they need of the service is loaded when one of them runs. */
@Module({
  providers: [
    ApiConnection,
    Commander,
    ExitStatus,
    Output,
    MountCommand,
    UnmountCommand,
    RunCommand,
    StatusCommand,
    ListMountsCommand,
    HistoryCommand,
    OperationsCommand,
    NodesCommand,
    CleanupCommand,
    ReconcileCommand,
    LocksCommand,
    MigrateCommand,
  ],
})
export class CliModule {}
