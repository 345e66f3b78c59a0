import { normalizeExport } from '@app/contracts';
import { type MountEntry } from '../../kernel/mount-table.interface';

const FILE_SYSTEM_TYPES = ['nfs', 'nfs4'];
const DEFAULT_PORT = 2049;

export function isNfs({ fstype }: Pick<MountEntry, 'fstype'>): boolean {
  return FILE_SYSTEM_TYPES.includes(fstype);
}

/** A server: two ports of one address are two, and what happens to one says nothing of the other. */
export interface NfsServer {
  readonly address: string;
  readonly port: number;
  /** For people, and for telling servers apart. */
  readonly name: string;
}

/**
 * The server of an export.
 *
 * @param source `server:/path`
 * @param options those of mount(8), or those that the kernel shows for the file system
 */
export function serverOf(source: string, options: readonly string[]): NfsServer {
  const normal = normalizeExport(source);
  const address = normal.slice(0, normal.indexOf(':/'));
  // The kernel shows port=0 where it was found out from the server itself.
  const port = Number(valueOf('port', options) ?? '0') || DEFAULT_PORT;
  return { address, port, name: `${address}:${port}` };
}

/** True where NFS is spoken over TCP, on a port that is known beforehand. */
export function isTcp(options: readonly string[]): boolean {
  const protocol = valueOf('proto', options) ?? 'tcp';
  // Version 3 has its port from the server's portmapper, unless the options name one.
  const version = valueOf('vers', options) ?? valueOf('nfsvers', options) ?? '4';
  return protocol.startsWith('tcp') && (!version.startsWith('3') || valueOf('port', options) !== undefined);
}

function valueOf(name: string, options: readonly string[]): string | undefined {
  return options.findLast((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}
