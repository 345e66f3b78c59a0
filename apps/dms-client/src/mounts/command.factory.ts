import { Inject, Injectable } from '@nestjs/common';
import {
  type EnvelopeDto,
  lookCommandBody,
  PROTOCOL_VERSION,
  targetCommandBody,
  type TargetRequestDto,
} from '@app/contracts';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { type NodeView } from '../nodes/node-views.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { type Command } from './step';
import { type WaitingRequest } from './waiting-request';

/** A fence waits behind what the target's queue holds, e.g. a mount that is running into its time-out. */
const LOOK_DEADLINE_MS = 90_000;
/** A node that listens answers at once; two heartbeats. */
const PROBE_DEADLINE_MS = 10_000;

/** A command before it is known what Python programs hold. */
export type Planned = Omit<Command, 'pythonHolds'>;

/** Makes the commands to the nodes from the row of which they take the epoch. */
@Injectable()
export class CommandFactory {
  constructor(@Inject(SETTINGS) private readonly settings: ClientSettings) {}

  /** The leader's mount; the others that ask for the same share its outcome. */
  mount(
    transaction: TargetTransaction,
    view: NodeView,
    operationId: string,
    [leader, ...followers]: readonly [WaitingRequest, ...WaitingRequest[]],
  ): Planned {
    const { row } = transaction;
    const remaining = Math.max(1_000, leader.deadline - performance.now());
    const deadlineMs = Math.round(Math.min(this.settings.requestTimeoutMs, remaining));
    const request = withPath(leader.request, row.mountPath);
    const envelope = this.#envelope(row, view, operationId, deadlineMs);
    return {
      ...this.#fenceOf(transaction, view, operationId, deadlineMs),
      action: 'mount',
      body: view.legacy
        ? legacyBody(targetCommandBody('mount', request, envelope))
        : targetCommandBody('mount', request, envelope),
      participants: [leader, ...followers],
    };
  }

  /**
   * @param like a request of the target, for what a Python server wants to read; null where none is at hand
   * @param legacyEnded the holders without epochs that have ended by the ledger
   */
  unmount(
    transaction: TargetTransaction,
    view: NodeView,
    operationId: string,
    like: TargetRequestDto | null,
    legacyEnded: readonly string[],
  ): Planned {
    const { row, key } = transaction;
    const deadlineMs = Math.min(this.settings.requestTimeoutMs, LOOK_DEADLINE_MS);
    const request: TargetRequestDto = {
      job: { jobid: like?.job.jobid ?? 1 },
      host: key.host,
      backup_target: {
        id: key.targetId,
        type: row.type ?? like?.backup_target.type ?? 's3',
        filesystem_export_mount_path: row.mountPath,
        filesystem_export: row.type === 'nfs' ? row.source : null,
        secret_ref: row.type === 's3' ? row.source : null,
      },
    };
    const envelope = {
      ...this.#envelope(row, view, operationId, deadlineMs),
      ...(legacyEnded.length === 0 ? {} : { legacy_ended: [...legacyEnded] }),
    };
    const body = targetCommandBody('unmount', request, envelope);
    return {
      ...this.#fenceOf(transaction, view, operationId, deadlineMs),
      action: 'unmount',
      body: view.legacy ? legacyBody(body) : body,
      participants: [],
    };
  }

  /** Asks what the node sees; a fence also makes every older command worthless. */
  look(
    action: 'probe' | 'fence',
    transaction: TargetTransaction,
    view: NodeView,
    operationId: string,
    participants: readonly WaitingRequest[],
  ): Planned {
    const { row, key } = transaction;
    const longest = action === 'fence' ? LOOK_DEADLINE_MS : PROBE_DEADLINE_MS;
    const deadlineMs = Math.min(this.settings.requestTimeoutMs, longest);
    const target = { id: key.targetId, type: row.type, source: row.source, mountPath: row.mountPath };
    return {
      ...this.#fenceOf(transaction, view, operationId, deadlineMs),
      action,
      body: lookCommandBody(action, target, this.#envelope(row, view, operationId, deadlineMs)),
      participants,
    };
  }

  #fenceOf(
    { row }: TargetTransaction,
    view: NodeView,
    operationId: string,
    deadlineMs: number,
  ): Omit<Planned, 'action' | 'body' | 'participants'> {
    const { incarnation } = view;
    return { epoch: row.epoch, operationId, incarnation, deadlineMs };
  }

  #envelope(row: TargetRow, view: NodeView, operationId: string, deadlineMs: number): EnvelopeDto {
    return {
      protocol: PROTOCOL_VERSION,
      incarnation: view.incarnation,
      epoch: row.epoch,
      operation_id: operationId,
      deadline_ms: deadlineMs,
      ...(row.ledger === null ? {} : { ledger: row.ledger }),
    };
  }
}

/** The node mounts where the ledger says, also where the request left the path open. */
function withPath(request: TargetRequestDto, mountPath: string | null): TargetRequestDto {
  return { ...request, backup_target: { ...request.backup_target, filesystem_export_mount_path: mountPath } };
}

/** A Python server knows no fence. */
function legacyBody({ dms: _, ...body }: Record<string, unknown>): Record<string, unknown> {
  return body;
}
