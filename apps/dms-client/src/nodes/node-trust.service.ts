import { Injectable, Logger } from '@nestjs/common';
import {
  type Hello,
  HELLO_TIMEOUT_MS,
  helloRoutingKey,
  isNamedRightly,
  type PublicKey,
  SIGNATURE_HEADER,
  SignatureError,
  verifyMessage,
} from '@app/contracts';
import { AtOnce, RecentMap } from '@app/platform';
import { type ConsumeMessage } from 'amqplib';
import { NodePinsRepository } from './node-pins.repository';
import { NO_KEY, type PinnedKeys } from './pinning';

/** Nodes that are remembered: a hello of one that was forgotten is compared with the ledger, and logged, once more. */
const MAX_NODES = 10_000;
/** Hellos and events that are compared with the ledger at once: requests need its connections, too. */
const LOOKS_AT_ONCE = 8;
/** What a process has found good it looks up again after this time in ms: another one may have been told otherwise. */
const REMEMBERED_MS = 30_000;
const SAME_WARNING_MS = 30_000;
const POLL_MS = 50;

/** The key to seal tokens to; `none`: the node has published none; `unknown`: nothing was heard of it. */
export type SealingKey = PublicKey<'X25519'> | 'none' | 'unknown';

interface Found {
  readonly text: string;
  readonly at: number;
}

/** Says whether what seems to come from a node does, by the keys that the ledger has pinned. */
@Injectable()
export class NodeTrustService {
  readonly #log = new Logger(NodeTrustService.name);
  /** Hosts whose last hello was found good, with its keys and memory. */
  readonly #good = new RecentMap<string, Found>(MAX_NODES);
  readonly #warned = new RecentMap<string, Found>(MAX_NODES);
  /** By host, the id of the key of the last hello that did not fit what is pinned. */
  readonly #refused = new RecentMap<string, Found>(MAX_NODES);
  readonly #looks = new AtOnce(LOOKS_AT_ONCE);

  constructor(private readonly pins: NodePinsRepository) {}

  /**
   * Whether a hello is of the node that it names. Refused ones are logged, twice a minute at most for each node.
   *
   * @throws DmsError LEDGER_UNAVAILABLE where it cannot be told
   */
  async admits(hello: Hello, message: ConsumeMessage): Promise<boolean> {
    const problem = await this.#problemOf(hello, message);
    if (problem !== null) return this.#refuse(hello, problem);
    const { incarnation, boot_id, public_key, signing_key, signs_replies } = hello;
    const text = JSON.stringify([incarnation, boot_id, public_key, signing_key, signs_replies]);
    const good = this.#good.get(hello.node);
    if (good?.text === text && performance.now() - good.at < REMEMBERED_MS) return true;
    this.#good.delete(hello.node);
    const verdict = await this.#looks.run(() => this.pins.judge(hello));
    if (verdict.kind === 'refuse') {
      this.#refused.set(hello.node, { text: hello.signing_key?.kid ?? NO_KEY, at: performance.now() });
      return this.#refuse(hello, verdict.reason);
    }
    if (verdict.kind === 'pin' && verdict.reason !== null) {
      const key = hello.signing_key?.kid;
      this.#log.warn({ msg: `The key of node "${hello.node}" is trusted: ${verdict.reason}`, key_id: key });
    }
    this.#good.set(hello.node, { text, at: performance.now() });
    return true;
  }

  /** The next hello of the node is compared with what is pinned, also if it was found good a moment ago. */
  lookAgain(node: string): void {
    this.#good.delete(node);
  }

  /** Id of the key (`none`: without one) of a hello that was refused within six seconds; null: none was. */
  refusedKeyId(node: string): string | null {
    const refused = this.#refused.get(node);
    return refused !== undefined && performance.now() - refused.at < HELLO_TIMEOUT_MS ? refused.text : null;
  }

  /**
   * Whether an announcement is signed by the node; so is everything of a node that has no keys.
   *
   * @throws DmsError LEDGER_UNAVAILABLE where it cannot be told
   */
  async isSignedBy(node: string, message: ConsumeMessage): Promise<boolean> {
    const known = await this.#looks.run(() => this.pins.find(node));
    const pinned = known?.pinned ?? null;
    if (pinned === null) return true;
    if (pinned.signing_key === null) return false;
    return (await signatureProblem(message, pinned.signing_key)) === null;
  }

  /**
   * The key to which a token for this node is to be sealed. A node of which nothing is known yet is given time to say
   * hello.
   *
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async sealingKey(host: string): Promise<SealingKey> {
    const deadline = performance.now() + HELLO_TIMEOUT_MS;
    for (;;) {
      const known = await this.pins.find(host);
      const key = known === null ? 'unknown' : sealingKeyOf(known.pinned, known.wasHeard);
      if (key !== 'unknown' || performance.now() >= deadline) return key;
      this.lookAgain(host);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #problemOf(hello: Hello, message: ConsumeMessage): Promise<string | null> {
    // RabbitMQ's topic permissions are rules of routing keys: one user's may be of one node.
    if (message.fields.routingKey !== helloRoutingKey(hello.node)) return 'it was published for another node';
    const { public_key: publicKey, signing_key: signingKey } = hello;
    if (publicKey === null || signingKey === null) return null;
    if (!(await isNamedRightly(publicKey)) || !(await isNamedRightly(signingKey)))
      return 'its keys bear ids that are not theirs';
    return signatureProblem(message, signingKey);
  }

  #refuse({ node, signing_key: key }: Hello, reason: string): false {
    const text = `${reason} ${key?.kid}`;
    const warned = this.#warned.get(node);
    if (warned?.text === text && performance.now() - warned.at < SAME_WARNING_MS) return false;
    this.#warned.set(node, { text, at: performance.now() });
    const msg =
      `A hello of node "${node}" is refused: ${reason}. Somebody may pose as it. If the node itself logs this key id, ` +
      `accept it: dms nodes ${node} --accept-key ${key?.kid ?? NO_KEY}`;
    this.#log.error({ msg, key_id: key?.kid ?? null });
    return false;
  }
}

function sealingKeyOf(pinned: PinnedKeys | null, wasHeard: boolean): SealingKey {
  if (pinned !== null) return pinned.public_key ?? 'unknown';
  return wasHeard ? 'none' : 'unknown';
}

/** Why an announcement is not of the holder of this key, as the end of a sentence; null where it is. */
async function signatureProblem(message: ConsumeMessage, key: PublicKey<'Ed25519'>): Promise<string | null> {
  const { headers } = message.properties as { headers?: Record<string, unknown> };
  const { content, fields } = message;
  const signed = {
    kind: 'announcement',
    address: fields.routingKey,
    content,
    replyTo: null,
    correlationId: null,
  } as const;
  try {
    await verifyMessage(headers?.[SIGNATURE_HEADER], signed, [key]);
    return null;
  } catch (error) {
    if (error instanceof SignatureError) return `it ${error.message}`;
    throw error;
  }
}
