import { DmsError } from '../errors/dms-error';
import { identifierProblem, typeName } from '../rules/identifiers';
import { mountPathProblem } from '../rules/mount-path';
import { type BackupTargetDto, type TargetRequestDto, type TargetType } from '../requests/target-request.dto';
import { parseTargetRequest } from '../requests/target-request.parser';
import { validated } from '../requests/validate';
import { EnvelopeDto } from './envelope.dto';
import { NODE_ACTIONS, type NodeAction } from './names';

/** What is longer is no action of anybody's, and could be a secret in the wrong place. */
const MAX_SHOWN_CHARACTERS = 32;

/** A mount or unmount as it arrived at a node; `envelope` is null where a Python program sent it. */
export interface TargetCommand {
  readonly action: 'mount' | 'unmount';
  readonly request: TargetRequestDto;
  readonly envelope: EnvelopeDto | null;
  /** True where it names no job: `request.job` says nothing. */
  readonly anonymous?: true;
}

/** Asks what the node sees of one target (`probe`), or also takes an epoch so that nothing older acts (`fence`). */
export interface LookCommand {
  readonly action: 'probe' | 'fence';
  readonly targetId: string;
  /** Where to look if the node remembers nothing of the target. */
  readonly mountPath: string | null;
  readonly type: TargetType | null;
  readonly source: string | null;
  readonly envelope: EnvelopeDto;
}

export interface InventoryCommand {
  readonly action: 'inventory';
  readonly envelope: EnvelopeDto | null;
}

export type NodeCommand = TargetCommand | LookCommand | InventoryCommand;

/**
 * The body of a mount or unmount command: the request as the Python system sends it (job id in both places), and the
 * envelope. The token is a Secret in it yet: it is sealed, or put in clear, when the command is sent.
 */
export function targetCommandBody(
  action: 'mount' | 'unmount',
  request: TargetRequestDto,
  envelope: EnvelopeDto,
): Record<string, unknown> {
  // A token goes to nobody who has no use for it.
  const readsSecret = action === 'mount' && request.backup_target.type === 's3';
  return {
    ...request,
    action,
    jobid: request.job.jobid,
    keystone_token: readsSecret ? (request.keystone_token ?? null) : null,
    dms: { ...envelope },
  };
}

/** The body of a probe or fence. */
export function lookCommandBody(
  action: 'probe' | 'fence',
  target: { id: string; type: TargetType | null; source: string | null; mountPath: string | null },
  envelope: EnvelopeDto,
): Record<string, unknown> {
  return {
    action,
    backup_target: {
      id: target.id,
      type: target.type,
      source: target.source,
      filesystem_export_mount_path: target.mountPath,
    },
    dms: { ...envelope },
  };
}

export function inventoryCommandBody(envelope: EnvelopeDto): Record<string, unknown> {
  return { action: 'inventory', dms: { ...envelope } };
}

/**
 * A message body as a command for a node.
 *
 * A Python program's mount may lack job and host: they are filled in, for its server never looked at them.
 *
 * @param node the node's own name, which a command's `host` must be
 * @throws DmsError VALIDATION_FAILED that names the field
 */
export function parseCommand(body: unknown, node: string): NodeCommand {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw DmsError.validation([{ field: 'body', problem: `must be a JSON object, not ${typeName(body)}` }]);
  }
  const message = body as Record<string, unknown>;
  const action = NODE_ACTIONS.find((known) => known === message.action);
  if (action === undefined) throw unknownAction(message.action);
  const envelope = message.dms === undefined || message.dms === null ? null : envelopeOf(message.dms);
  switch (action) {
    case 'inventory':
      return { action, envelope };
    case 'probe':
    case 'fence':
      return lookCommand(action, message, envelope);
    case 'mount':
    case 'unmount':
      return targetCommand(action, message, envelope, node);
  }
}

function targetCommand(
  action: 'mount' | 'unmount',
  message: Record<string, unknown>,
  envelope: EnvelopeDto | null,
  node: string,
): TargetCommand {
  const request = parseTargetRequest(envelope === null ? withLegacyDefaults(message, node) : message, action);
  if (request.host !== node) {
    throw DmsError.validation([{ field: 'host', problem: `must be "${node}", the node that was reached` }]);
  }
  const anonymous = envelope === null && message.job === undefined && message.jobid === undefined;
  return { action, request, envelope, ...(anonymous ? { anonymous } : {}) };
}

function withLegacyDefaults(message: Record<string, unknown>, node: string): Record<string, unknown> {
  const job = message.job ?? (message.jobid === undefined ? { jobid: 1 } : undefined);
  return { ...message, host: message.host ?? node, ...(job === undefined ? {} : { job }) };
}

function lookCommand(
  action: 'probe' | 'fence',
  message: Record<string, unknown>,
  envelope: EnvelopeDto | null,
): LookCommand {
  if (envelope === null)
    throw DmsError.validation([{ field: 'dms', problem: `is required for "${action}"` }]);
  const target = (message.backup_target ?? {}) as Partial<BackupTargetDto> & { source?: unknown };
  const problem = identifierProblem(target.id);
  if (problem !== null) throw DmsError.validation([{ field: 'backup_target.id', problem }]);
  const mountPath = target.filesystem_export_mount_path ?? null;
  const pathProblem = mountPath === null ? null : mountPathProblem(mountPath);
  if (pathProblem !== null) {
    throw DmsError.validation([
      { field: 'backup_target.filesystem_export_mount_path', problem: pathProblem },
    ]);
  }
  return {
    action,
    targetId: target.id as string,
    mountPath,
    type: target.type ?? null,
    source: typeof target.source === 'string' ? target.source : null,
    envelope,
  };
}

function envelopeOf(value: unknown): EnvelopeDto {
  try {
    return validated(EnvelopeDto, value);
  } catch (error) {
    if (!(error instanceof DmsError)) throw error;
    throw DmsError.validation([{ field: 'dms', problem: error.message }]);
  }
}

function unknownAction(action: unknown): DmsError {
  const known = NODE_ACTIONS.join(', ');
  if (action === undefined) {
    return DmsError.validation([{ field: 'action', problem: `is required: one of ${known}` }]);
  }
  const isWord = typeof action === 'string' && action.length <= MAX_SHOWN_CHARACTERS;
  const shown = isWord ? action : typeName(action);
  return new DmsError('VALIDATION_FAILED', `Unknown action: ${shown}`, {
    details: { fields: [{ field: 'action', problem: `must be one of ${known}` }] },
  });
}

/** The action of a command's type, so that handlers can be registered by it. */
export type { NodeAction };
