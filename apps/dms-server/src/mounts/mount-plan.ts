import {
  defaultMountPath,
  DmsError,
  isReadOnly,
  isSameSource,
  isUnderBase,
  sourceOf,
  type TargetRequestDto,
} from '@app/contracts';
import { type MountEntry } from '../kernel/mount-table.interface';
import { type MountedAs, type TargetRecord } from '../fence/target-record';
import { type MountPlan } from '../providers/target-provider.interface';

const PATH_FIELD = 'backup_target.filesystem_export_mount_path';

/**
 * What is to be mounted where. The path was checked where the request was made, but the bases are this node's.
 *
 * @throws DmsError VALIDATION_FAILED
 */
export function planOf(request: TargetRequestDto, bases: readonly string[]): MountPlan {
  const target = request.backup_target;
  const mountPath = target.filesystem_export_mount_path ?? defaultMountPath(bases[0], target.id);
  if (!isUnderBase(mountPath, bases)) {
    throw DmsError.validation([
      { field: PATH_FIELD, problem: `must be below a mount base of this node: ${bases.join(', ')}` },
    ]);
  }
  const source = sourceOf(target);
  if (source === null) {
    const field = target.type === 'nfs' ? 'backup_target.filesystem_export' : 'backup_target.secret_ref';
    throw DmsError.validation([{ field, problem: `is required for an ${target.type} target` }]);
  }
  return { targetId: target.id, request, source, mountPath, readOnly: isReadOnly(request) };
}

/** What is remembered of a mount before it is tried. */
export function mountedAsOf(plan: MountPlan): MountedAs {
  return {
    type: plan.request.backup_target.type,
    source: plan.source,
    mountPath: plan.mountPath,
    readOnly: plan.readOnly,
    mntId: null,
    device: null,
    fstype: null,
  };
}

/** How a mount that stands differs from what is asked for, as the end of a sentence; null where it does not. */
export function differenceOf(plan: MountPlan, mountedAs: MountedAs): string | null {
  if (mountedAs.type !== plan.request.backup_target.type) return `as type ${mountedAs.type}`;
  if (mountedAs.mountPath !== plan.mountPath) return `at ${mountedAs.mountPath}`;
  if (!isSameSource(mountedAs.type, mountedAs.source, plan.source)) return 'from another source';
  if (mountedAs.readOnly !== plan.readOnly) return mountedAs.readOnly ? 'read-only' : 'for writing';
  return null;
}

/**
 * Why nothing may be mounted at a path, or null: another target's mount or somebody's layer is there, above, or below.
 * Above it: the directory would be made in that mount. Below: the mount would hide it.
 *
 * The message names no other target and no path beside the one that was asked for, as whoever asks may be of another
 * project: what is in the way is the cause of the error.
 */
export function conflictAt(
  plan: MountPlan,
  bases: readonly string[],
  table: readonly MountEntry[],
  records: readonly TargetRecord[],
): DmsError | null {
  const other = records.find(
    ({ targetId, mountedAs }) =>
      targetId !== plan.targetId && mountedAs !== null && overlap(mountedAs.mountPath, plan.mountPath),
  );
  if (other !== undefined) {
    return taken(
      plan,
      'another target is mounted',
      `target "${other.targetId}" at ${other.mountedAs?.mountPath ?? ''}`,
    );
  }
  const below = table.filter((layer) => isUnderBase(layer.mountPath, bases));
  const layers = below.filter((layer) => overlap(layer.mountPath, plan.mountPath));
  if (layers.length === 0) return null;
  const paths = [...new Set(layers.map((layer) => layer.mountPath))].join(', ');
  return taken(plan, `${layers.length} mount(s) that are not this target's stand`, `mounts at ${paths}`);
}

function taken({ mountPath }: MountPlan, what: string, inTheWay: string): DmsError {
  const text = `${mountPath} is taken: ${what} there, above it or below it`;
  return new DmsError('CONFLICT', text, { cause: inTheWay });
}

function overlap(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
