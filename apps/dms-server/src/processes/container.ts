import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** The PID namespace that the kernel starts with has this number on every machine. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';
/** Files that engines make in each container: Docker, and podman. */
const MARKS = ['.dockerenv', 'run/.containerenv'];

/**
 * Returns why the FUSE daemons of this program cannot outlive it, as the end of the sentence "dms-server runs …"; null
 * if nothing says so. The end of a container ends all its processes, and so does the end of a PID namespace.
 *
 * @param root where `proc` and the files of engines are looked for
 */
export function daemonsEndBecause(
  env: Readonly<Record<string, string | undefined>> = process.env,
  root = '/',
): string | null {
  if (env.KUBERNETES_SERVICE_HOST !== undefined) return 'in a pod of Kubernetes';
  if (MARKS.some((mark) => existsSync(join(root, mark)))) return 'in a container';
  return isInPidNamespace(root) ? 'in a PID namespace of its own' : null;
}

function isInPidNamespace(root: string): boolean {
  try {
    return readlinkSync(join(root, 'proc/self/ns/pid')) !== FIRST_PID_NAMESPACE;
  } catch {
    return false; // it cannot be known
  }
}
