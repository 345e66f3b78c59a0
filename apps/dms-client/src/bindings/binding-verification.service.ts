import { Injectable } from '@nestjs/common';
import { DmsError, type MountObservation, type VerifiedMountDto } from '@app/contracts';
import { type Looked, NodeLooksService } from '../nodes/node-looks.service';
import { type BindingView } from './bindings.repository';

const UNKNOWN =
  'The node cannot say yet: a command for this target is under way there, or the mount gives no answer; ask again';

/** Asks a binding's node what it sees. */
@Injectable()
export class BindingVerificationService {
  constructor(private readonly looks: NodeLooksService) {}

  /** Never rejects for what the node or the broker does: that stands in the answer. */
  async verify(view: BindingView): Promise<VerifiedMountDto> {
    const { binding, type, source } = view;
    const target = {
      id: binding.backup_target_id,
      type,
      source,
      mountPath: binding.mount_path,
    };
    try {
      return verifiedMount(view, await this.looks.probe(binding.host, target));
    } catch (thrown) {
      const error = DmsError.from(thrown);
      if (error.code === 'INTERNAL' || error.code === 'LEDGER_UNAVAILABLE') throw thrown;
      return {
        state: 'unknown',
        mount_path: null,
        mnt_id: null,
        device: null,
        read_only: null,
        agrees: null,
        error_code: error.code,
        error_msg: error.message,
      };
    }
  }
}

export function verifiedMount(
  view: BindingView,
  { seen, incarnation }: Looked<MountObservation>,
): VerifiedMountDto {
  return {
    state: seen.state,
    mount_path: seen.mount_path,
    mnt_id: seen.mnt_id,
    device: seen.device,
    read_only: seen.read_only,
    agrees: seen.state === 'unknown' ? null : agrees(view, seen, incarnation),
    error_code: null,
    error_msg: seen.state === 'unknown' ? UNKNOWN : null,
  };
}

/**
 * A mount of the same path that stands there since another boot, or anew, is not the one that was granted. A job that
 * holds the target agrees with a mount that stands, and with nothing else.
 */
function agrees({ binding, incarnation, mntId }: BindingView, seen: MountObservation, now: string): boolean {
  if (binding.mount_state !== 'MOUNTED') return seen.state !== 'mounted' && binding.state !== 'held';
  const sameMount = mntId === null || mntId === seen.mnt_id;
  const sameMemory = incarnation === null || incarnation === now;
  return seen.state === 'mounted' && seen.mount_path === binding.mount_path && sameMount && sameMemory;
}
