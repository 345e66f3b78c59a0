import { type Answer } from './api';
import { type ClientProcess } from './client-process';
import { type Fleet } from './fleet';
import { type S3Target } from './targets';

export interface JobRequestOptions {
  /** Which client is asked; default: the first. */
  readonly client?: ClientProcess;
  /** Which node it is about; default: the first. */
  readonly host?: string;
  /** Changes of `backup_target`. */
  readonly target?: Readonly<Record<string, unknown>>;
}

/** What the ledger says of a target on a host. */
export interface TargetState {
  readonly state: string;
  readonly epoch: number;
  readonly mount_path: string | null;
}

/** Jobs that ask for backup targets, and what the ledger says of them, read past the service. */
export class Jobs {
  /** Requests by host and target: a token is asked for once. */
  readonly #requests = new Map<string, Promise<Record<string, unknown>>>();

  constructor(private readonly fleet: Fleet) {}

  async mount(
    jobid: number,
    target: Pick<S3Target, 'id' | 'secretRef'>,
    options: JobRequestOptions = {},
  ): Promise<Answer> {
    return this.#send('mount', jobid, target, options);
  }

  async unmount(
    jobid: number,
    target: Pick<S3Target, 'id' | 'secretRef'>,
    options: JobRequestOptions = {},
  ): Promise<Answer> {
    return this.#send('unmount', jobid, target, options);
  }

  /** The state of a job's binding: `none` where there is no row, else as in the ledger. */
  async binding(jobid: number, targetId: string): Promise<string> {
    const rows = await this.fleet.query<{ state: string }>(
      'SELECT state FROM backup_target_mount_ledger WHERE jobid = ? AND backup_target_id = ?',
      [jobid, targetId],
    );
    return rows.at(0)?.state ?? 'none';
  }

  /** The row of a target, or undefined where nobody has asked for it yet. */
  async target(targetId: string): Promise<TargetState | undefined> {
    const rows = await this.fleet.query<TargetState>(
      'SELECT state, epoch, mount_path FROM target_mounts WHERE backup_target_id = ?',
      [targetId],
    );
    return rows.at(0);
  }

  /** The states of a target's operations, oldest first. */
  async operations(targetId: string): Promise<{ action: string; status: string }[]> {
    return this.fleet.query(
      'SELECT action, status FROM mount_operations WHERE backup_target_id = ? ORDER BY created_at',
      [targetId],
    );
  }

  async #send(
    action: 'mount' | 'unmount',
    jobid: number,
    target: Pick<S3Target, 'id' | 'secretRef'>,
    options: JobRequestOptions,
  ): Promise<Answer> {
    const { client = this.fleet.clients[0], host = this.fleet.node.host } = options;
    const request = await this.#request(host, target);
    const job = { ...(request.job as object), jobid };
    const backupTarget = { ...(request.backup_target as object), ...options.target };
    return client.api.post(`/api/v1/${action}`, { ...request, job, backup_target: backupTarget });
  }

  #request(host: string, target: Pick<S3Target, 'id' | 'secretRef'>): Promise<Record<string, unknown>> {
    const key = JSON.stringify([host, target.id, target.secretRef]);
    const made = this.#requests.get(key) ?? this.fleet.targets.request(host, 1, target);
    this.#requests.set(key, made);
    return made;
  }
}
