/** Which option sets a field of a request or a query. */
const OPTIONS: Readonly<Record<string, string>> = {
  jobid: '--job-id',
  'job.jobid': '--job-id',
  host: '--host',
  keystone_token: '--token-file or KEYSTONE_TOKEN',
  hold_id: '--hold-id',
  read_only: '--read-only',
  backup_target_id: '--target-id',
  'backup_target.id': '--target-id',
  'backup_target.type': '--target-type',
  'backup_target.secret_ref': '--secret-ref',
  'backup_target.filesystem_export': '--nfs-export',
  'backup_target.filesystem_export_mount_path': '--mount-path',
  'backup_target.nfs_mount_opts': '--nfs-opts',
  limit: '--limit',
  cursor: '--cursor',
  status: '--status',
  action: '--action',
  since: '--since',
  until: '--until',
  hours: '--hours',
  fenced: '--fenced',
  key_id: '--accept-key',
  lease_s: '--lease',
  'context.project_id': 'the project of the token',
};

/** `--secret-ref` for `backup_target.secret_ref`; a field that no option sets stands by its name. */
export function optionOf(field: string): string {
  return Object.hasOwn(OPTIONS, field) ? OPTIONS[field] : field;
}
