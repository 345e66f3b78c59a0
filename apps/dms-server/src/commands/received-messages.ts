import { createHash } from 'node:crypto';
import { type ConsumeMessage } from 'amqplib';
import { MAX_BODY_BYTES } from './received-command';

/** More than the node has at a time; a message that was forgotten is refused when it is delivered again. */
const MAX_REMEMBERED = 10_000;

/** Remembers which messages this process has received, by a hash of each. */
export class ReceivedMessages {
  /** The latest last. */
  readonly #hashes = new Set<string>();

  note(message: ConsumeMessage): void {
    this.#hashes.add(hashOf(message));
    if (this.#hashes.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#hashes;
    this.#hashes.delete(oldest);
  }

  /** Returns true once for each message that was noted. */
  take(message: ConsumeMessage): boolean {
    return this.#hashes.delete(hashOf(message));
  }
}

function hashOf({ content, properties }: ConsumeMessage): string {
  const { replyTo, correlationId } = properties as { replyTo?: unknown; correlationId?: unknown };
  const facts = JSON.stringify([replyTo ?? null, correlationId ?? null, content.length]);
  return createHash('sha256').update(facts).update(content.subarray(0, MAX_BODY_BYTES)).digest('base64');
}
