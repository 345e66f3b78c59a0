import { Inject, Injectable } from '@nestjs/common';
import {
  type ForeignMount,
  type FuseProcess,
  type Inventory,
  isUnderBase,
  type MountObservation,
} from '@app/contracts';
import { boundedMap } from '@app/platform';
import { type CommandResult } from '../commands/command-result';
import { atMost } from '../commands/deadline';
import { FenceService } from '../fence/fence.service';
import { MOUNT_TABLE, type MountTable } from '../kernel/mount-table.interface';
import { LooksService } from '../mounts/looks.service';
import { NO_HINT } from '../mounts/observation.service';
import { FuseProcessesService } from '../processes/fuse-processes.service';
import { type Deadline } from '../providers/target-provider.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';

/** Looks into mounts take this long in all; what was not looked into by then is reported as unknown. */
const LOOKS_MS = 10_000;
const LOOKS_AT_ONCE = 8;

/** Who knows the FUSE processes. */
export interface FuseProcessList {
  list(): Promise<FuseProcess[]>;
}

/** Tells all that this node knows and sees. */
@Injectable()
export class InventoryService {
  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    private readonly fences: FenceService,
    private readonly looks: LooksService,
    @Inject(FuseProcessesService) private readonly processes: FuseProcessList,
  ) {}

  /** Answers the command `inventory`. */
  async answer(deadline: Deadline): Promise<CommandResult> {
    const inventory = await this.take(atMost(deadline, LOOKS_MS));
    return {
      status: 'success',
      error_code: null,
      error_msg: null,
      success_msg: `${inventory.mounts.length} target(s) remembered as mounted`,
      mountPath: null,
      epoch: null,
      mount: null,
      acted: true,
      inventory,
      ledger: this.fences.servedLedger,
    };
  }

  async take(deadline: Deadline): Promise<Inventory> {
    const remembered = this.fences.records().filter(({ mountedAs }) => mountedAs !== null);
    const mounts = await boundedMap(remembered, LOOKS_AT_ONCE, ({ targetId }) =>
      this.looks.glance(targetId, NO_HINT, deadline),
    );
    return { mounts, foreign: await this.#foreign(mounts), processes: await this.processes.list() };
  }

  /** Mounts below the bases at whose path no target of ours is. */
  async #foreign(mounts: readonly MountObservation[]): Promise<ForeignMount[]> {
    const ours = new Set(
      mounts.filter(({ state }) => state !== 'foreign').map(({ mount_path }) => mount_path),
    );
    return (await this.table.read())
      .filter(({ mountPath }) => isUnderBase(mountPath, this.settings.mountBases) && !ours.has(mountPath))
      .map(({ mountPath, source, fstype, mntId }) => ({
        mount_path: mountPath,
        source,
        fstype,
        mnt_id: mntId,
      }));
  }
}
