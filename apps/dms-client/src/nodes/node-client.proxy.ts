import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { DmsError, nodeQueue, SIGNATURE_HEADER } from '@app/contracts';
import { alarmText, BrokerAlarm, headersOfRequest } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { BROKER } from './broker.provider';
import { CommandSigner } from './command-signer';
import { listensOn } from './queue-consumers';
import { type ReplyKey, ReplyTrustService } from './reply-trust.service';
import { WaitingReplies } from './waiting-replies';

/** Where a command goes, and how long an answer to it has a meaning. */
export interface NodePattern {
  readonly host: string;
  /** Of {@link CommandRoutes}. */
  readonly queue: string;
  readonly action: string;
  /** Milliseconds after which the broker throws the command away. */
  readonly expirationMs: number;
  /** Of {@link ReplyTrustService.keyToExpect}. */
  readonly replyKey: ReplyKey;
}

/** The broker could not deliver the command: nothing has happened. */
export class UnroutableError extends DmsError {
  /** @param warning what concerns all nodes at once */
  constructor(host: string, warning: string | null = null) {
    // The broker lets a consumer go whose heartbeats it misses: the program may be there all the same.
    const why = 'it does not run, hangs, or is cut off from the broker';
    super(
      'NODE_UNREACHABLE',
      `No dms-server listens for host "${host}": ${why}${warning === null ? '' : `. ${warning}`}`,
    );
  }
}

/** The connection went away after a command was sent: whether it was carried out is unknown. */
export class ReplyLostError extends Error {}

/** Commands that were sent right before an alarm may be answered yet: the broker goes on delivering. */
const ALARM_GRACE_MS = 3_000;
/** A broker tells of an alarm only who publishes: this often something is published that nobody gets. */
const ALARM_CHECK_MS = 1_000;
const ALARM_CHECK_QUEUE = 'dms-client.alarm-check';
const REPLY_TO = 'amq.rabbitmq.reply-to';

/**
 * NestJS' client for the queues of all nodes, over one connection: bare JSON, as the Python system speaks.
 *
 * What is sent goes out once. It goes out on the raw channel, for the connection manager would send what was not confirmed
 * again after a reconnect, also when nobody waits for the answer any more.
 */
@Injectable()
export class NodeClientProxy extends ClientProxy implements OnApplicationShutdown {
  readonly #log = new Logger(NodeClientProxy.name);
  readonly #waiting: WaitingReplies;
  #channel: ConfirmChannel | null = null;
  #connection: ChannelModel | null = null;
  readonly #checks: NodeJS.Timeout;
  #alarmGrace: NodeJS.Timeout | null = null;

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly signer: CommandSigner,
    trust: ReplyTrustService,
    private readonly alarm: BrokerAlarm,
  ) {
    super();
    this.#waiting = new WaitingReplies(trust);
    alarm.onChange((reason) => this.#alarmed(reason));
    this.#checks = setInterval(() => this.#checkAlarm(), ALARM_CHECK_MS).unref();
    broker.on('connect', () => this.#reopen());
    broker.on('disconnect', () => this.#lost());
    this.#reopen();
  }

  /** Commands that were sent and not answered yet. */
  get unanswered(): number {
    return this.#waiting.size;
  }

  /** Waits until the broker can be used, for five seconds at most. */
  async connect(): Promise<void> {
    const deadline = Date.now() + 5_000;
    for (;;) {
      // Nothing is published during an alarm: the broker would deliver it when the alarm is over.
      if (this.alarm.reason !== null) throw blocked(this.alarm.reason);
      if (this.#channel !== null) return;
      if (Date.now() > deadline)
        throw new DmsError('BROKER_UNAVAILABLE', 'The message broker cannot be reached');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#checks);
    this.#lost();
    await this.broker.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  unwrap<T>(): T {
    return this.broker as T;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const correlationId = randomUUID();
    const pattern = packet.pattern as NodePattern;
    this.#waiting.add(correlationId, pattern.host, callback);
    this.#send(pattern, packet.data, correlationId).catch((error: unknown) =>
      this.#waiting.settle(correlationId, { err: error, isDisposed: true }),
    );
    return () => this.#waiting.remove(correlationId);
  }

  protected dispatchEvent<T>(): Promise<T> {
    return Promise.reject(new Error('Nodes take commands, not events'));
  }

  async #send(pattern: NodePattern, data: unknown, correlationId: string): Promise<void> {
    const channel = this.#channel;
    if (channel === null || this.#connection === null) {
      throw new DmsError('BROKER_UNAVAILABLE', 'The message broker cannot be reached');
    }
    const { host, queue, replyKey } = pattern;
    // The queue of a node that does not run stays, and a command must not wait there. A node's own queue goes with it.
    if (queue === nodeQueue(host) && !(await listensOn(this.#connection, queue)))
      throw new UnroutableError(host);
    const content = Buffer.from(JSON.stringify(data));
    const expirationMs = Math.max(1, Math.round(pattern.expirationMs));
    const command = { address: nodeQueue(host), content, replyTo: REPLY_TO, correlationId, expirationMs };
    const signed = await this.signer.headersOf(command);
    const headers = { ...headersOfRequest(), ...signed };
    const signature = signed[SIGNATURE_HEADER] ?? null;
    if (this.alarm.reason !== null) throw blocked(this.alarm.reason);
    if (this.#channel !== channel) throw new DmsError('BROKER_UNAVAILABLE', 'The message broker went away');
    if (!this.#waiting.sent({ host, ...command, signature, replyKey })) return;
    const options = {
      mandatory: true,
      persistent: false,
      expiration: String(expirationMs),
      headers,
      contentType: 'application/json',
      correlationId,
      replyTo: REPLY_TO,
      // What is unroutable comes back with its properties: this one tells whose it was.
      messageId: correlationId,
    };
    channel.sendToQueue(queue, content, options, (error: unknown) => {
      if (error === null || error === undefined) return;
      const lost = new ReplyLostError('The broker did not confirm the command');
      this.#waiting.settle(correlationId, { err: lost, isDisposed: true });
    });
  }

  #reopen(): void {
    const connection = this.broker.connection;
    if (connection === undefined || this.#connection === connection) return;
    this.#open(connection).catch((error: unknown) => this.#log.error(error));
  }

  async #open(connection: ChannelModel): Promise<void> {
    this.#connection = connection;
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error: unknown) => this.#log.error(error));
    channel.on('close', () => {
      if (this.#channel === channel) this.#lost();
    });
    channel.on('return', (message: ConsumeMessage) => this.#returned(message));
    await channel.consume(REPLY_TO, (message) => this.#reply(message), { noAck: true });
    // If there is an alarm it is known before the first command.
    await new Promise<void>((resolve) => {
      channel.sendToQueue(ALARM_CHECK_QUEUE, Buffer.alloc(0), { persistent: false }, () => resolve());
    });
    if (this.#connection === connection) this.#channel = channel;
  }

  #checkAlarm(): void {
    if (this.alarm.reason !== null) return;
    this.#channel?.sendToQueue(ALARM_CHECK_QUEUE, Buffer.alloc(0), { persistent: false });
  }

  /** What was sent right before an alarm may lie in the buffers, or be carried out: its outcome is uncertain. */
  #alarmed(reason: string | null): void {
    if (this.#alarmGrace !== null) clearTimeout(this.#alarmGrace);
    this.#alarmGrace = null;
    if (reason === null) return;
    const error = new ReplyLostError(`${alarmText(reason)}; the command was sent right before`);
    this.#alarmGrace = setTimeout(() => this.#waiting.settleAll(error), ALARM_GRACE_MS).unref();
  }

  #reply(message: ConsumeMessage | null): void {
    if (message === null) return this.#lost();
    void this.#waiting.take(message);
  }

  #returned(message: ConsumeMessage): void {
    const correlationId = String(message.properties.messageId);
    const host = this.#waiting.hostOf(correlationId) ?? 'unknown';
    this.#waiting.settle(correlationId, { err: new UnroutableError(host), isDisposed: true });
  }

  #lost(): void {
    if (this.#alarmGrace !== null) clearTimeout(this.#alarmGrace);
    this.#alarmGrace = null;
    this.#channel = null;
    this.#connection = null;
    this.#waiting.settleAll(new ReplyLostError('The connection to the broker was lost before the reply'));
  }
}

function blocked(reason: string): DmsError {
  return new DmsError('BROKER_UNAVAILABLE', alarmText(reason));
}
