import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Where NFS tests have their nodes: this machine's kernel, or guests of their own kernels (User-Mode Linux). */
export type NfsNodeKind = 'host' | 'uml';

/** The variable that forces one kind: `host` or `uml`. */
export const NFS_NODE_VARIABLE = 'DMS_TEST_NFS_NODE';

/** This machine, where its kernel has NFS 4 or can load it; else guests. `DMS_TEST_NFS_NODE` decides otherwise. */
export function nfsNodeKind(): NfsNodeKind {
  const forced = process.env[NFS_NODE_VARIABLE] ?? '';
  if (forced === 'host' || forced === 'uml') return forced;
  if (forced !== '') throw new Error(`${NFS_NODE_VARIABLE} must be host or uml, not "${forced}"`);
  if (hasNfs()) return 'host';
  spawnSync('modprobe', ['nfsv4'], { stdio: 'ignore', timeout: 10_000 });
  return hasNfs() ? 'host' : 'uml';
}

function hasNfs(): boolean {
  return /\tnfs4$/m.test(readFileSync('/proc/filesystems', 'utf8'));
}
