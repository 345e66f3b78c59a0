/** What a server lets clients do with an export. */
export interface NfsExportRights {
  readonly access?: 'RW' | 'RO';
  /** `Root_Squash`: root of a client is nobody. */
  readonly squash?: 'No_Root_Squash' | 'Root_Squash';
}

/** A directory that an NFS server hands out. */
export interface NfsExport extends NfsExportRights {
  /** Part of every file handle: under another id, handles that clients hold are stale. */
  readonly id: number;
  /** `/name`, as clients ask for it. */
  readonly path: string;
  readonly directory: string;
}

/** What the configuration file of one server says. */
export interface GaneshaConfiguration {
  readonly port: number;
  /** Tells this server from others on the same machine: a client takes two of one name for two ways to one server. */
  readonly name: string;
  readonly recoveryDirectory: string;
  readonly pluginsDirectory: string;
  readonly exports: readonly NfsExport[];
}

/** Short, so that a server that comes back, and a client that was away, need not wait long for their state. */
const LEASE_SECONDS = 10;

/** The text of ganesha.conf: NFS 4.1 and 4.2 over TCP on 127.0.0.1, no Kerberos, no rpcbind. */
export function ganeshaConfiguration(options: GaneshaConfiguration): string {
  return [
    block('NFS_CORE_PARAM', {
      NFS_Port: options.port,
      Bind_addr: '127.0.0.1',
      Protocols: 4,
      Enable_NLM: false,
      Enable_RQUOTA: false,
      Plugins_Dir: quoted(options.pluginsDirectory),
    }),
    block('NFSv4', {
      Minor_Versions: '1, 2',
      Lease_Lifetime: LEASE_SECONDS,
      Grace_Period: LEASE_SECONDS,
      Graceless: true,
      RecoveryRoot: quoted(options.recoveryDirectory),
      Only_Numeric_Owners: true,
      Server_Scope: quoted(options.name),
      Server_Owner: quoted(options.name),
    }),
    block('NFS_KRB5', { Active_krb5: false }),
    ...options.exports.map(exportBlock),
  ].join('\n');
}

function exportBlock({ id, path, directory, access = 'RW', squash = 'No_Root_Squash' }: NfsExport): string {
  const values = {
    Export_Id: id,
    Path: quoted(directory),
    Pseudo: quoted(path),
    Access_Type: access,
    Squash: squash,
    SecType: 'sys',
    Protocols: 4,
    Transports: 'TCP',
  };
  return block('EXPORT', values, block('FSAL', { Name: 'VFS' }));
}

function block(
  name: string,
  values: Readonly<Record<string, string | number | boolean>>,
  nested = '',
): string {
  const lines = Object.entries(values).map(([key, value]) => `  ${key} = ${String(value)};\n`);
  return `${name} {\n${lines.join('')}${nested}}\n`;
}

function quoted(text: string): string {
  return `"${text}"`;
}
