import { Inject, Injectable } from '@nestjs/common';
import {
  DmsError,
  type EnvelopeDto,
  EVENT_EXPIRATION_MS,
  type NodeCommand,
  openToken,
  parseCommand,
  SealedTokenError,
} from '@app/contracts';
import { type ConsumeMessage } from 'amqplib';
import { FenceService } from '../fence/fence.service';
import { nodeClockMs } from '../hello/node-clock';
import { NODE_KEYS, type NodeKeys } from '../keys/node-keys';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { CommandSignatures } from './command-signatures';
import { MAX_BODY_BYTES } from './received-command';

/** The sender reckons by a hello, which can be as old as this when it arrives; then the command seems older than it is. */
const HELLO_DELAY_MS = EVENT_EXPIRATION_MS + 4_000;
/** Stands for a token that was sealed for an earlier memory of this node: the fence refuses its command unread. */
const UNOPENED = 'unopened';

/** A message as it was understood; `extended` says whether its sender knows more than the three keys of a reply. */
export type DecodedMessage =
  | { readonly kind: 'command'; readonly command: NodeCommand; readonly extended: boolean }
  | { readonly kind: 'refused'; readonly error: DmsError; readonly extended: boolean };

/** Makes commands of messages: whose they are, what they say, and the one place where a sealed token is opened. */
@Injectable()
export class CommandDecoder {
  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ServerSettings, 'nodeId'>,
    @Inject(NODE_KEYS) private readonly keys: Pick<NodeKeys, 'encryption'>,
    @Inject(FenceService) private readonly fences: Pick<FenceService, 'incarnation'>,
    private readonly signatures: CommandSignatures,
  ) {}

  /** The body of a message as a command for this node. It never rejects: whatever was sent gets an answer. */
  async decode(message: ConsumeMessage): Promise<DecodedMessage> {
    if (message.content.length > MAX_BODY_BYTES) {
      const error = new DmsError('TOO_LARGE', `body: must have at most ${MAX_BODY_BYTES} bytes`);
      return { kind: 'refused', error, extended: false };
    }
    let body: unknown;
    try {
      body = JSON.parse(message.content.toString('utf8'));
    } catch {
      const error = new DmsError('VALIDATION_FAILED', 'Invalid JSON format in request');
      return { kind: 'refused', error, extended: false };
    }
    const extended = envelopeIn(body) !== null;
    try {
      const refusal = await this.signatures.refusalOf(message);
      if (refusal !== null) throw refusal;
      const command = parseCommand(await this.#withToken(body), this.settings.nodeId);
      const unfenced = command.envelope === null ? this.signatures.refusalWithoutEpoch() : null;
      if (unfenced !== null) throw unfenced;
      const late = message.fields.redelivered ? null : lateness(command.envelope);
      if (late !== null) throw late;
      return { kind: 'command', command, extended };
    } catch (error) {
      return { kind: 'refused', error: DmsError.from(error), extended };
    }
  }

  /** @throws DmsError FORBIDDEN if it holds a token that was sealed for another command */
  async #withToken(body: unknown): Promise<unknown> {
    const envelope = envelopeIn(body);
    if (typeof envelope?.sealed_token !== 'string') return body;
    const { action, backup_target } = body as { action?: unknown; backup_target?: Record<string, unknown> };
    const binding = {
      node: this.settings.nodeId,
      incarnation: envelope.incarnation ?? null,
      epoch: Number(envelope.epoch),
      operationId: String(envelope.operation_id),
      action: String(action),
      targetId: String(backup_target?.id),
      secretRef: (backup_target?.secret_ref as string | null | undefined) ?? null,
    };
    const open = async (sealed: string): Promise<string> => {
      // Keys end with the memory that they belong to.
      if (binding.incarnation !== this.fences.incarnation) return UNOPENED;
      return (await openToken(sealed, this.keys.encryption, binding)).reveal();
    };
    try {
      return { ...(body as object), keystone_token: await open(envelope.sealed_token) };
    } catch (error) {
      if (!(error instanceof SealedTokenError)) throw error;
      throw new DmsError('FORBIDDEN', `dms.sealed_token: ${error.message}`);
    }
  }
}

/**
 * The refusal of a command whose sender has ceased to wait, by this node's own clock: it lay in the buffers of a broker that
 * was frozen, or blocked its publishers, and whose expiration began only when it went on. One that was delivered before may
 * have been begun, and is left to the fence.
 */
function lateness(envelope: EnvelopeDto | null): DmsError | null {
  const sent = envelope?.sent_clock_ms ?? null;
  if (envelope === null || sent === null) return null;
  const age = nodeClockMs() - sent;
  if (age <= envelope.deadline_ms + HELLO_DELAY_MS) return null;
  const text = `The command was sent ${Math.round(age / 1000)} s ago, and its sender waits no more. Nothing was done`;
  return new DmsError('TIMEOUT', text);
}

function envelopeIn(body: unknown): Partial<EnvelopeDto> | null {
  if (typeof body !== 'object' || body === null) return null;
  const { dms } = body as { dms?: unknown };
  if (dms === undefined || dms === null) return null;
  return typeof dms === 'object' ? dms : {};
}
