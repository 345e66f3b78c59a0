import { Logger } from '@nestjs/common';
import { type WritePacket } from '@nestjs/microservices';
import { type ConsumeMessage } from 'amqplib';
import { type ReplyTrustService, type SentCommand } from './reply-trust.service';

/** Replies to one command that are looked at at a time: the true one, and some that somebody has forged. */
const MAX_JUDGED = 8;

interface Waiting {
  readonly host: string;
  readonly callback: (packet: WritePacket) => void;
  /** Null until it is sent. */
  command: SentCommand | null;
  judged: number;
}

/** The commands of this process that wait for their replies; each is settled once. */
export class WaitingReplies {
  readonly #log = new Logger(WaitingReplies.name);
  /** By correlation id. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(private readonly trust: Pick<ReplyTrustService, 'admits'>) {}

  get size(): number {
    return this.#waiting.size;
  }

  /** Begins to wait. */
  add(correlationId: string, host: string, callback: (packet: WritePacket) => void): void {
    this.#waiting.set(correlationId, { host, callback, command: null, judged: 0 });
  }

  /** Nobody wants the reply any more. */
  remove(correlationId: string): void {
    this.#waiting.delete(correlationId);
  }

  /** The command is about to be sent: from now on there may be a reply. False: nobody wants it any more. */
  sent(command: SentCommand): boolean {
    const waiting = this.#waiting.get(command.correlationId);
    if (waiting !== undefined) waiting.command = command;
    return waiting !== undefined;
  }

  hostOf(correlationId: string): string | null {
    return this.#waiting.get(correlationId)?.host ?? null;
  }

  /** Takes a reply; one that is not of the node is as if it had not come. */
  async take(message: ConsumeMessage): Promise<void> {
    const correlationId = String(message.properties.correlationId);
    const waiting = this.#waiting.get(correlationId);
    if (waiting === undefined) return; // A late reply: nobody waits any more, and it changes nothing.
    if (waiting.command === null || waiting.judged >= MAX_JUDGED) return;
    waiting.judged += 1;
    try {
      const isAwaited = (): boolean => this.#waiting.get(correlationId) === waiting;
      if (!(await this.trust.admits(waiting.command, message, isAwaited))) return;
      this.settle(correlationId, { response: bodyOf(message), isDisposed: true });
    } catch (error) {
      this.#log.error(error);
    } finally {
      waiting.judged -= 1;
    }
  }

  settle(correlationId: string, packet: WritePacket): void {
    const waiting = this.#waiting.get(correlationId);
    this.#waiting.delete(correlationId);
    waiting?.callback(packet);
  }

  settleAll(error: Error): void {
    for (const correlationId of [...this.#waiting.keys()])
      this.settle(correlationId, { err: error, isDisposed: true });
  }
}

/** A reply that cannot be read says nothing: null is no reply, and the caller treats it so. */
function bodyOf({ content }: ConsumeMessage): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    return null;
  }
}
