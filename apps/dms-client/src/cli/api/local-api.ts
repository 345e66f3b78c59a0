import { Logger, type INestApplicationContext, type Type } from '@nestjs/common';
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
import { ALL_PROJECTS } from '../../access/identity';
import { BindingPathDto, BindingQueryDto, BindingsQueryDto } from '../../bindings/bindings.dto';
import { BindingsService } from '../../bindings/bindings.service';
import { CleanupRequestDto } from '../../cleanup/cleanup.dto';
import { CleanupService } from '../../cleanup/cleanup.service';
import { LockPathDto } from '../../locks/locks.dto';
import { LocksService } from '../../locks/locks.service';
import { LeasesService } from '../../leases/leases.service';
import { MountsService } from '../../mounts/mounts.service';
import { NodeAdministrationService } from '../../nodes/node-administration.service';
import { AcceptKeyRequestDto, NodePathDto } from '../../nodes/nodes.dto';
import { NodesService } from '../../nodes/nodes.service';
import {
  HistoryQueryDto,
  OperationPathDto,
  OperationsQueryDto,
  TargetPathDto,
} from '../../operations/operations.dto';
import { OperationsService } from '../../operations/operations.service';
import { parseParameters } from '../../queries/parameters.pipe';
import { ReconcileRequestDto } from '../../reconcile/reconcile.dto';
import { ReconcilerService } from '../../reconcile/reconciler.service';
import { loadClientSettings } from '../../settings/client.settings';
import { type BindingName, type DmsApi, type Parameters } from './dms-api';
import { openContext } from './local-context';
import { LocalModule } from './local.module';

/**
 * The service in this process: dms-client's own, on broker and database.
 *
 * @throws SettingsError; DmsError LEDGER_UNAVAILABLE
 */
export async function openLocalApi(): Promise<DmsApi> {
  const settings = loadClientSettings();
  return new LocalApi(await openContext(LocalModule.forRoot(settings), settings), settings.requestTimeoutMs);
}

class LocalApi implements DmsApi {
  readonly defaultLeaseS = null;

  constructor(
    private readonly context: INestApplicationContext,
    readonly requestTimeoutMs: number,
  ) {}

  mount(request: TargetRequestDto, signal?: AbortSignal): Promise<MountResponseDto> {
    return this.#service(MountsService).mount(request, { caller: signal });
  }

  unmount(request: TargetRequestDto): Promise<UnmountResponseDto> {
    return this.#service(MountsService).unmount(request);
  }

  async renew(name: BindingName, host: string, leaseS: number): Promise<BindingDto> {
    return this.#service(LeasesService).renew(
      { ...parse(BindingPathDto, { ...name }), host },
      ALL_PROJECTS,
      leaseS,
    );
  }

  async status(name: BindingName, parameters: Parameters): Promise<BindingStatusDto> {
    const path = parse(BindingPathDto, { ...name });
    const { host, verify } = parse(BindingQueryDto, parameters);
    return this.#service(BindingsService).get({ ...path, host }, ALL_PROJECTS, verify ?? false);
  }

  async listBindings(parameters: Parameters): Promise<BindingListDto> {
    return this.#service(BindingsService).list(parse(BindingsQueryDto, parameters), ALL_PROJECTS);
  }

  async history(backupTargetId: string, parameters: Parameters): Promise<HistoryDto> {
    const { backup_target_id } = parse(TargetPathDto, { backup_target_id: backupTargetId });
    const { limit } = parse(HistoryQueryDto, parameters);
    return this.#service(OperationsService).history(backup_target_id, ALL_PROJECTS, limit);
  }

  async operations(parameters: Parameters): Promise<OperationListDto> {
    return this.#service(OperationsService).list(parse(OperationsQueryDto, parameters), ALL_PROJECTS);
  }

  async operation(id: string): Promise<OperationDto> {
    return this.#service(OperationsService).get(parse(OperationPathDto, { id }).id, ALL_PROJECTS);
  }

  nodes(): Promise<NodeListDto> {
    return this.#service(NodesService).list();
  }

  async node(host: string): Promise<NodeDetailDto> {
    return this.#service(NodesService).get(parse(NodePathDto, { host }).host);
  }

  async cleanup(request: { hours: number; dry_run: boolean; held: boolean }): Promise<CleanupResponseDto> {
    return this.#service(CleanupService).cleanup(parseParameters(CleanupRequestDto, request));
  }

  async reconcile(request: { host: string | null; dry_run: boolean }): Promise<ReconcileResponseDto> {
    const { host, dry_run } = parseParameters(ReconcileRequestDto, request);
    return this.#service(ReconcilerService).reconcile(host ?? null, dry_run ?? false);
  }

  async drain(host: string, draining: boolean): Promise<NodeDetailDto> {
    return this.#service(NodeAdministrationService).drain(parse(NodePathDto, { host }).host, draining);
  }

  async forget(host: string, fenced: boolean): Promise<NodeDetailDto> {
    return this.#service(NodeAdministrationService).forget(parse(NodePathDto, { host }).host, fenced);
  }

  async acceptKey(host: string, keyId: string | null): Promise<NodeDetailDto> {
    if (keyId !== null) parse(AcceptKeyRequestDto, { key_id: keyId });
    return this.#service(NodeAdministrationService).acceptKey(parse(NodePathDto, { host }).host, keyId);
  }

  locks(): Promise<LockListDto> {
    return this.#service(LocksService).list();
  }

  async releaseLock(host: string, backupTargetId: string): Promise<LockListDto> {
    const path = parse(LockPathDto, { host, backup_target_id: backupTargetId });
    return this.#service(LocksService).release({ host: path.host, targetId: path.backup_target_id });
  }

  close(): Promise<void> {
    // Channels that were still being opened fail now, which is of no interest to anybody.
    Logger.overrideLogger(false);
    return this.context.close();
  }

  #service<T>(type: Type<T>): T {
    return this.context.get(type, { strict: false });
  }
}

/** As over HTTP, where what is undefined is not sent. */
function parse<T extends object>(type: Type<T>, parameters: Parameters): T {
  return parseParameters(
    type,
    Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined)),
  );
}
