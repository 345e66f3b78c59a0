import { createHash } from 'node:crypto';

/** One backup target on one node: what at most one physical mount exists for. */
export interface TargetKey {
  readonly host: string;
  readonly targetId: string;
}

/** A text that is the same for equal keys; ids hold no `/`. */
export function keyText({ host, targetId }: TargetKey): string {
  return `${host}/${targetId}`;
}

/** The value of `active_path_key`, by which two targets cannot occupy one path of a host. */
export function pathKey(mountPath: string): Buffer {
  return createHash('sha256').update(mountPath).digest();
}
