import {
  type BindingDto,
  type BindingListDto,
  type BindingStatusDto,
  type CleanupResponseDto,
  type HistoryDto,
  type LockListDto,
  type MountResponseDto,
  type NodeDetailDto,
  type NodeListDto,
  type OperationDto,
  type OperationListDto,
  type ReconcileResponseDto,
  type TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';

/** Parameters of a query as text, by their names over HTTP; what is undefined is left out. */
export type Parameters = Readonly<Record<string, string | undefined>>;

export interface BindingName {
  readonly jobid: string;
  readonly backup_target_id: string;
}

/**
 * What the commands need of the service, over HTTP or in this process. The answers are the bodies of HTTP's answers;
 * every call rejects with a DmsError.
 */
export interface DmsApi {
  /** Seconds of the lease of `dms run` where it is not told another; null: none, for nothing runs that lets it expire. */
  readonly defaultLeaseS: number | null;
  /** Milliseconds after which a mount or an unmount is answered in any case. */
  readonly requestTimeoutMs: number;
  /** @param signal aborted: a request that was not begun is not begun; what became of another is unknown */
  mount(request: TargetRequestDto, signal?: AbortSignal): Promise<MountResponseDto>;
  unmount(request: TargetRequestDto): Promise<UnmountResponseDto>;
  renew(name: BindingName, host: string, leaseS: number): Promise<BindingDto>;
  status(name: BindingName, parameters: Parameters): Promise<BindingStatusDto>;
  listBindings(parameters: Parameters): Promise<BindingListDto>;
  history(backupTargetId: string, parameters: Parameters): Promise<HistoryDto>;
  operations(parameters: Parameters): Promise<OperationListDto>;
  operation(id: string): Promise<OperationDto>;
  nodes(): Promise<NodeListDto>;
  node(host: string): Promise<NodeDetailDto>;
  cleanup(request: { hours: number; dry_run: boolean; held: boolean }): Promise<CleanupResponseDto>;
  reconcile(request: { host: string | null; dry_run: boolean }): Promise<ReconcileResponseDto>;
  drain(host: string, draining: boolean): Promise<NodeDetailDto>;
  forget(host: string, fenced: boolean): Promise<NodeDetailDto>;
  acceptKey(host: string, keyId: string | null): Promise<NodeDetailDto>;
  locks(): Promise<LockListDto>;
  releaseLock(host: string, backupTargetId: string): Promise<LockListDto>;
  /** Lets go of all connections. */
  close(): Promise<void>;
}
