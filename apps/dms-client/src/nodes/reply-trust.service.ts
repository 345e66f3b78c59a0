import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  DmsError,
  HELLO_TIMEOUT_MS,
  type PublicKey,
  SIGNATURE_HEADER,
  SignatureError,
  UnknownSignerError,
  verifyMessage,
} from '@app/contracts';
import { happened, RecentMap, type ReplyProblem } from '@app/platform';
import { type ConsumeMessage } from 'amqplib';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { type KnownNode, NodePinsRepository } from './node-pins.repository';
import { NodeTrustService } from './node-trust.service';
import { NodeViewsService } from './node-views.service';
import { type PinnedKeys } from './pinning';

const POLL_MS = 100;
const SAME_ERROR_MS = 30_000;
/** Nodes whose last error is remembered. */
const MAX_NODES = 10_000;

/**
 * With which key a node signs its replies; `none`: it signs none; `unknown`: nothing was heard of it yet, or nothing since
 * an operator has said which key is its own.
 */
export type ReplyKey = PublicKey<'Ed25519'> | 'none' | 'unknown';

/** A command as it was sent, with what its reply must show. */
export interface SentCommand {
  readonly host: string;
  /** As it was signed. */
  readonly address: string;
  readonly content: Buffer;
  readonly replyTo: string;
  readonly correlationId: string;
  /** What it bears in SIGNATURE_HEADER; null: it is not signed. */
  readonly signature: string | null;
  /** What was known when it was sent. */
  readonly replyKey: ReplyKey;
}

interface Problem {
  readonly kind: ReplyProblem;
  /** The end of a sentence. */
  readonly text: string;
  /** A hello that is on its way may mend it. */
  readonly mayPass: boolean;
}

/** Says whether a reply is of the node that was asked, by the key that the ledger has pinned, and to what it was asked. */
@Injectable()
export class ReplyTrustService {
  readonly #log = new Logger(ReplyTrustService.name);
  /** By host, when a refused reply was last logged. */
  readonly #logged = new RecentMap<string, number>(MAX_NODES);

  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ClientSettings, 'requireSigned'>,
    private readonly pins: NodePinsRepository,
    @Inject(NodeViewsService) private readonly views: Pick<NodeViewsService, 'upHosts' | 'hasListened'>,
    @Inject(NodeTrustService) private readonly hellos: Pick<NodeTrustService, 'refusedKeyId' | 'lookAgain'>,
  ) {}

  /**
   * How the replies of a node are to be told from others; to be asked before it is commanded.
   *
   * @throws DmsError FORBIDDEN, NODE_UNREACHABLE where its replies would be ignored; LEDGER_UNAVAILABLE
   */
  async keyToExpect(host: string): Promise<ReplyKey> {
    const deadline = performance.now() + HELLO_TIMEOUT_MS;
    for (;;) {
      const known = await this.pins.find(host);
      const isDoubtful = this.#isDoubtful(host, known);
      if (isDoubtful) this.#requireNoOther(host);
      const key = this.#keyOf(known);
      const isHeard = this.views.hasListened || !isDoubtful;
      if (isHeard && (key !== 'unknown' || !this.settings.requireSigned)) return this.#required(host, key);
      if (performance.now() >= deadline) {
        const text = `Node "${host}" has not said hello: its replies cannot be verified`;
        throw new DmsError('NODE_UNREACHABLE', text);
      }
      if (key === 'unknown') this.hellos.lookAgain(host);
      await sleep(POLL_MS);
    }
  }

  /**
   * Whether a reply counts. One whose key is not known is held back for as long as the hello with that key can be on its
   * way: a node that lost its memory says it right before it answers. Refused ones are counted and logged.
   *
   * @param isAwaited whether the reply is of interest still
   */
  async admits(command: SentCommand, reply: ConsumeMessage, isAwaited: () => boolean): Promise<boolean> {
    const deadline = performance.now() + HELLO_TIMEOUT_MS;
    for (;;) {
      // Without the ledger what was known is the best that there is.
      const key = await this.#keyNow(command);
      const problem = await this.#problemOf(key, command, reply);
      if (problem === null) return true;
      if (!isAwaited()) return false;
      if (!problem.mayPass || performance.now() >= deadline) return this.#refuse(command, problem);
      await sleep(POLL_MS);
    }
  }

  async #keyNow({ host, replyKey }: SentCommand): Promise<ReplyKey> {
    try {
      const key = this.#keyOf(await this.pins.find(host));
      // An operator may just have said which key is the node's: its next hello brings that key.
      if (key === 'unknown') this.hellos.lookAgain(host);
      return key;
    } catch {
      return replyKey;
    }
  }

  /** The node itself is not heard, and there was another hello in its name. */
  #isDoubtful(host: string, known: KnownNode | null): boolean {
    if (known?.pinned?.signs_replies !== true || known.refusedKeyId === null) return false;
    return !this.views.upHosts().has(host);
  }

  #requireNoOther(host: string): void {
    const keyId = this.hellos.refusedKeyId(host);
    if (keyId === null) return;
    const text =
      `Node "${host}" says hello with another key than is known, or signs no replies any more: they would be ignored. ` +
      `If that key is its own: dms nodes ${host} --accept-key ${keyId}`;
    throw new DmsError('FORBIDDEN', text);
  }

  #required(host: string, key: ReplyKey): ReplyKey {
    if (key !== 'none' || !this.settings.requireSigned) return key;
    const text = `Node "${host}" does not sign its replies, and DMS_REQUIRE_SIGNED forbids to command such a node`;
    throw new DmsError('FORBIDDEN', text);
  }

  #keyOf(known: KnownNode | null): ReplyKey {
    const pinned = known?.pinned ?? null;
    if (pinned !== null) return replyKeyOf(pinned);
    // A node of which nothing was heard may be a Python server.
    return known?.wasHeard === true || !this.settings.requireSigned ? 'none' : 'unknown';
  }

  async #problemOf(key: ReplyKey, command: SentCommand, reply: ConsumeMessage): Promise<Problem | null> {
    if (key === 'none') {
      if (!this.settings.requireSigned) return null;
      return { kind: 'unsigned', text: 'is of a node that signs none', mayPass: false };
    }
    if (key === 'unknown')
      return { kind: 'unknown_key', text: 'is of a node that has not said hello', mayPass: true };
    const { headers } = reply.properties as { headers?: Record<string, unknown> };
    const signature = headers?.[SIGNATURE_HEADER];
    const { address, replyTo, correlationId } = command;
    const { content } = reply;
    const signed = { kind: 'reply', address, content, replyTo, correlationId, answers: command } as const;
    try {
      await verifyMessage(signature, signed, [key]);
      return null;
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error;
      const text = error.message;
      if (error instanceof UnknownSignerError) return { kind: 'unknown_key', text, mayPass: true };
      return { kind: signature === undefined ? 'unsigned' : 'signature', text, mayPass: false };
    }
  }

  #refuse({ host }: SentCommand, { kind, text }: Problem): false {
    happened({ what: 'reply_refused', problem: kind });
    const before = this.#logged.get(host);
    if (before !== undefined && performance.now() - before < SAME_ERROR_MS) return false;
    this.#logged.set(host, performance.now());
    const msg =
      `A reply in the name of node "${host}" is ignored: it ${text}. Somebody may pose as it. If an older program was put ` +
      `back there: dms nodes ${host} --accept-key, with the id of its key, or none for a Python server`;
    this.#log.error({ msg, code: 'FORBIDDEN', host });
    return false;
  }
}

function replyKeyOf({ signing_key: key, signs_replies }: PinnedKeys): ReplyKey {
  if (key === null) return 'unknown';
  return signs_replies ? key : 'none';
}
