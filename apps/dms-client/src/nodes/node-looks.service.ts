import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  DmsError,
  type EnvelopeDto,
  type Inventory,
  inventoryCommandBody,
  lookCommandBody,
  type MountObservation,
  type NodeReply,
  PROTOCOL_VERSION,
  type TargetType,
} from '@app/contracts';
import { NODE_COMMANDS, type NodeCommands } from './node-commands.service';
import { NodeViewsService } from './node-views.service';

/** A person waits for the answer; a node that needs longer is as good as silent. */
const LOOK_DEADLINE_MS = 5_000;
/** An inventory looks into every mount of the node, ten seconds at most in all. */
const INVENTORY_DEADLINE_MS = 12_000;

export interface LookTarget {
  readonly id: string;
  readonly type: TargetType | null;
  readonly source: string | null;
  readonly mountPath: string | null;
}

/** An answer of a node, with the memory for which it speaks. */
export interface Looked<T> {
  readonly incarnation: string;
  readonly seen: T;
  /** The ledger of which the node has something mounted, where it says that: with an inventory. */
  readonly ledger?: string;
}

/** Asks nodes what they see. Nothing is changed by it, neither on the node nor in the ledger. */
@Injectable()
export class NodeLooksService {
  constructor(
    @Inject(NODE_COMMANDS) private readonly nodes: NodeCommands,
    private readonly views: NodeViewsService,
  ) {}

  /**
   * What the node sees of one target now.
   *
   * @throws DmsError NODE_UNREACHABLE, BROKER_UNAVAILABLE; LEDGER_UNAVAILABLE as in NodeViewsService
   */
  async probe(host: string, target: LookTarget): Promise<Looked<MountObservation>> {
    const envelope = await this.#envelope(host, LOOK_DEADLINE_MS);
    const reply = await this.#ask(host, lookCommandBody('probe', target, envelope), LOOK_DEADLINE_MS);
    if (reply.mount === null) throw saidNothing(host);
    return { incarnation: reply.incarnation, seen: reply.mount };
  }

  /**
   * All that the node knows and sees now.
   *
   * @throws DmsError as {@link NodeLooksService.probe}
   */
  async inventory(host: string): Promise<Looked<Inventory>> {
    const envelope = await this.#envelope(host, INVENTORY_DEADLINE_MS);
    const reply = await this.#ask(host, inventoryCommandBody(envelope), INVENTORY_DEADLINE_MS);
    if (reply.inventory === undefined) throw saidNothing(host);
    return { incarnation: reply.incarnation, seen: reply.inventory, ledger: reply.ledger };
  }

  async #ask(host: string, body: Record<string, unknown>, deadlineMs: number): Promise<NodeReply> {
    const outcome = await this.nodes.send(host, body, deadlineMs);
    if (outcome.kind === 'unsent') throw outcome.error;
    if (outcome.kind === 'unknown') {
      const warning = await this.views.silenceWarning();
      const text = `Node "${host}" does not answer: ${outcome.reason}`;
      throw new DmsError('NODE_UNREACHABLE', warning === null ? text : `${text}. ${warning}`);
    }
    if (outcome.reply.kind === 'legacy') {
      const message = `Node "${host}" runs a Python server, which cannot tell what it sees`;
      throw new DmsError('NODE_UNREACHABLE', message);
    }
    const { reply } = outcome.reply;
    if (reply.status === 'error') {
      throw new DmsError(reply.error_code ?? 'INTERNAL', reply.error_msg ?? 'The node gave no reason');
    }
    return reply;
  }

  /** Epoch 0 authorises nothing. */
  async #envelope(host: string, deadlineMs: number): Promise<EnvelopeDto> {
    const { incarnation } = await this.views.view(host);
    return {
      protocol: PROTOCOL_VERSION,
      incarnation,
      epoch: 0,
      operation_id: randomUUID(),
      deadline_ms: deadlineMs,
    };
  }
}

function saidNothing(host: string): DmsError {
  return new DmsError('NODE_UNREACHABLE', `Node "${host}" answered, but not with what it sees`);
}
