import { type TargetType } from '../requests/target-request.dto';
import { type ForeignMount, type FuseProcess, type Inventory } from '../wire/inventory';
import { type MountObservation, type MountObservationState, type MountUser } from '../wire/observation';

/** A process that keeps a mount busy. */
export class MountUserDto implements MountUser {
  pid: number;
  command: string;
  /** What it has open there; null where that cannot be seen. */
  path: string | null;
}

/** What a node sees of one target. */
export class MountObservationDto implements MountObservation {
  state: MountObservationState;
  /** A layer stands at the path in the mount table, whoever's it is. */
  mounted: boolean;
  /** Children of a command that may still live. */
  children_left: number;
  backup_target_id: string;
  mount_path: string | null;
  source: string | null;
  type: TargetType | null;
  /** Type of the file system in the mount table, e.g. `fuse.s3fs` or `nfs4`. */
  fstype: string | null;
  mnt_id: number | null;
  /** `major:minor` of the mounted device. */
  device: string | null;
  read_only: boolean | null;
  layers: number;
  /** The FUSE daemon. */
  pid: number | null;
  flush_verified: boolean | null;
  users: MountUserDto[];
  epoch: number;
  operation_id: string | null;
}

/** A mount below one of the node's bases that is not ours. */
export class ForeignMountDto implements ForeignMount {
  mount_path: string;
  source: string;
  fstype: string;
  mnt_id: number;
}

/** A FUSE daemon that the node keeps. */
export class FuseProcessDto implements FuseProcess {
  backup_target_id: string;
  pid: number;
  alive: boolean;
  mount_path: string;
  /** ISO 8601, UTC. */
  started_at: string | null;
  rss_bytes: number | null;
  cpu_percent: number | null;
}

/** All that a node knows and sees. */
export class InventoryDto implements Inventory {
  mounts: MountObservationDto[];
  foreign: ForeignMountDto[];
  processes: FuseProcessDto[];
}
