import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { DmsError, type NodeCommand } from '@app/contracts';
import {
  type Attributes,
  BrokerAlarm,
  type Carrier,
  contextOfMessage,
  forRequest,
  measured,
} from '@app/platform';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import { FenceService } from '../fence/fence.service';
import { HelloService } from '../hello/hello.service';
import { WaysIn } from '../hello/ways-in';
import { deadlineIn } from '../providers/deadlines';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { BROKER_FACTORY, type BrokerFactory } from './broker.provider';
import { CallerChecks, PSEUDO_QUEUE } from './caller-checks';
import { CallerShares } from './caller-shares';
import { CommandConsumer } from './command-consumer';
import { CommandContext } from './command.context';
import { CommandGate, type UnreadMessage } from './command-gate';
import { CommandDecoder, type DecodedMessage } from './command.decoder';
import { type CommandResult, failure, refusal } from './command-result';
import { type Delivery } from './queue-consumer';
import { isUndated, replyQueueOf } from './received-command';
import { encodeReply } from './reply.encoder';
import { ReplySigner } from './reply.signer';
import { within } from './within';

/** Commands in flight may take this long to end when the server is told to stop. */
const DRAIN_MS = 15_000;
/** For a message whose sender does not say how long it waits. */
const DEFAULT_DEADLINE_MS = 300_000;
/** A caller whose queue the gate has found is not asked for again so soon. */
const FOUND_MS = 1_000;
/** One legacy caller may have this part of the commands that can be in the node. */
const CALLER_PART = 1 / 4;

/** When a command was received, and when the gate let it through, by the monotonic clock. */
interface Times {
  readonly received: number;
  readonly passed: number;
}

/** A type, for NestJS' base class takes a record of handlers, which an interface is not. */
type ServerEvents = {
  /** Commands cannot be consumed any more, and the server is to end. */
  failure: (error: Error) => void;
};

/**
 * NestJS transport on the node's queues, one of which Python programs use too: bare JSON both ways, the pattern is the
 * body's `action`, every message for whose answer somebody may wait gets one reply, and is acknowledged after it.
 * docs/WIRE.md is its specification.
 */
@Injectable()
export class NodeCommandServer extends Server<ServerEvents> implements CustomTransportStrategy {
  protected override readonly logger = new Logger(NodeCommandServer.name);
  readonly #inFlight = new Set<Promise<void>>();
  readonly #consumer: CommandConsumer;
  readonly #shares: CallerShares;
  #lastDecoded: Promise<unknown> = Promise.resolve();
  #onFailure: (error: Error) => void = () => undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(BROKER_FACTORY) connect: BrokerFactory,
    private readonly hello: HelloService,
    private readonly fences: FenceService,
    private readonly gate: CommandGate,
    private readonly callers: CallerChecks,
    private readonly decoder: CommandDecoder,
    private readonly signer: ReplySigner,
    announced: WaysIn,
    alarm: BrokerAlarm,
  ) {
    super();
    this.#shares = new CallerShares(Math.ceil(settings.prefetch * CALLER_PART));
    this.#consumer = new CommandConsumer({
      node: settings.nodeId,
      prefetch: settings.prefetch,
      connect: () => {
        const manager = connect();
        alarm.watch(manager);
        return manager;
      },
      announced,
      beforeConsuming: (connection) => hello.begin(connection),
      onDelivery: (delivery) => {
        this.#take(delivery);
      },
      onFailure: (error) => {
        this.#onFailure(error);
      },
    });
  }

  get isConsuming(): boolean {
    return this.#consumer.isConsuming;
  }

  /** Whether legacy callers reach the node by `dms.<node>`. */
  get isLegacyUp(): boolean {
    return this.#consumer.isLegacyUp;
  }

  override on<E extends keyof ServerEvents>(_event: E, callback: ServerEvents[E]): void {
    this.#onFailure = callback;
  }

  override unwrap<T>(): T {
    return this.#consumer as T;
  }

  override async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.#consumer.start();
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Stops consuming, ends what is in flight, then goes. Mounts stay. */
  override async close(): Promise<void> {
    await this.#consumer.stop();
    await this.hello.leave();
    const drained = Promise.allSettled(this.#inFlight);
    await within(drained, DRAIN_MS, 'commands in flight').catch(() => {
      this.logger.warn(`${this.#inFlight.size} commands are still in flight; they go back to the queue`);
    });
    this.hello.end();
    await this.#consumer.close();
  }

  #take(delivery: Delivery): void {
    const { headers = {} } = delivery.message.properties as { headers?: Carrier };
    const context = contextOfMessage(headers);
    const answer = (): Promise<void> => this.#answer(delivery);
    const work = (context === null ? answer() : forRequest(context, answer)).catch((error: unknown) => {
      // The channel has gone: the broker will deliver the command again, and the gate and the fence will know it.
      this.logger.warn({ msg: 'A command could not be answered', err: error });
    });
    this.#inFlight.add(work);
    void work.finally(() => this.#inFlight.delete(work));
  }

  async #answer(delivery: Delivery): Promise<void> {
    const begun = performance.now();
    const unread = await this.gate.unread(delivery);
    const passed = performance.now();
    const decoded = unread ?? (await this.#decode(delivery));
    const result = await measured(
      'command',
      attributesIn(decoded),
      () => this.#carryOut(decoded, delivery, { received: begun, passed }),
      ({ error_code }) => error_code,
    );
    if (decoded.kind !== 'unread' || decoded.action !== 'dropped') {
      this.#log(decoded.kind === 'command' ? decoded.command : null, result, performance.now() - begun);
      await this.#reply(delivery, result, decoded.extended);
    }
    delivery.channel.ack(delivery.message);
  }

  async #carryOut(
    decoded: DecodedMessage | UnreadMessage,
    delivery: Delivery,
    times: Times,
  ): Promise<CommandResult> {
    if (decoded.kind === 'unread') return decoded.result;
    if (decoded.kind === 'command')
      return await this.#withinShare(decoded.command, delivery, () =>
        this.#handle(decoded.command, this.#contextOf(decoded.command, delivery, times)),
      );
    if (decoded.error.cause !== undefined)
      this.logger.error({ msg: 'A body met a defect', err: decoded.error.cause });
    return refusal(decoded.error);
  }

  /** A program that knows epochs has one reply queue for all of its jobs: it has no share. */
  async #withinShare(
    { envelope }: NodeCommand,
    { message }: Delivery,
    work: () => Promise<CommandResult>,
  ): Promise<CommandResult> {
    if (envelope !== null) return await work();
    try {
      return await this.#shares.run(replyQueueOf(message) ?? '', work);
    } catch (error) {
      return refusal(DmsError.from(error));
    }
  }

  /**
   * One after the other: the fence takes commands in the order in which they came. Between two of them the process
   * answers the broker's heartbeats, and all else.
   */
  #decode({ message }: Delivery): Promise<DecodedMessage> {
    const decoded = this.#lastDecoded.then(() => nextTurn()).then(() => this.decoder.decode(message));
    this.#lastDecoded = decoded.catch(() => undefined);
    return decoded;
  }

  async #handle(command: NodeCommand, context: CommandContext): Promise<CommandResult> {
    const handler = this.getHandlerByPattern(command.action);
    if (handler === null) return refusal(new DmsError('INTERNAL', `No handler for "${command.action}"`));
    try {
      const answer = (await handler(command, context)) as CommandResult | Observable<CommandResult>;
      return isObservable(answer) ? await lastValueFrom(answer) : answer;
    } catch (error) {
      if (!(error instanceof DmsError)) this.logger.error({ msg: `"${command.action}" failed`, err: error });
      return failure(DmsError.from(error));
    }
  }

  #contextOf(
    command: NodeCommand,
    { message, connection }: Delivery,
    { received, passed }: Times,
  ): CommandContext {
    const replyTo = replyQueueOf(message);
    const waited = performance.now() - received;
    const deadline = deadlineIn((command.envelope?.deadline_ms ?? DEFAULT_DEADLINE_MS) - waited);
    if (replyTo === null || command.envelope !== null || !isUndated(message))
      return new CommandContext(deadline, () => Promise.resolve(true));
    return new CommandContext(deadline, async () => {
      if (performance.now() - passed < FOUND_MS) return true;
      return await this.callers.waits(connection, replyTo);
    });
  }

  async #reply({ message, channel }: Delivery, result: CommandResult, extended: boolean): Promise<void> {
    const { correlationId } = message.properties as { correlationId?: unknown };
    const replyTo = replyQueueOf(message);
    if (replyTo === null) {
      this.logger.warn('A command named no reply queue: nobody learns how it ended');
      return;
    }
    const { incarnation, bootId } = this.fences;
    const answerer = { node: this.settings.nodeId, incarnation, bootId };
    const content = encodeReply(result, extended, answerer);
    const headers = await this.signer.headersOf(message, content);
    channel.publish('', replyTo, content, {
      headers,
      contentType: 'application/json',
      persistent: false,
      // The broker returns what it cannot route, and so we learn of it; its own reply queues it never counts.
      mandatory: !replyTo.startsWith(PSEUDO_QUEUE),
      ...(typeof correlationId === 'string' ? { correlationId } : {}),
    });
  }

  #log(command: NodeCommand | null, result: CommandResult, milliseconds: number): void {
    const { action, operation_id, backup_target_id, jobid } = command === null ? {} : attributesOf(command);
    this.logger.log({
      msg: headlineOf(action ?? null, result),
      target: backup_target_id,
      jobid,
      epoch: command?.envelope?.epoch,
      operation: operation_id,
      code: result.error_code ?? undefined,
      error: result.error_msg ?? undefined,
      ms: Math.round(milliseconds),
    });
  }
}

/** Failures in the words that operators of the Python system look for. */
function headlineOf(action: string | null, { status }: CommandResult): string {
  if (status === 'error' && action === 'mount') return 'Mount failed';
  if (status === 'error' && action === 'unmount') return 'Unmount failed';
  return `${action ?? 'A message'}: ${status}`;
}

function attributesIn(decoded: DecodedMessage | UnreadMessage): Attributes {
  if (decoded.kind === 'command') return attributesOf(decoded.command);
  return { action: decoded.kind === 'unread' ? decoded.action : 'refused' };
}

function attributesOf(command: NodeCommand): Attributes {
  const { action, envelope } = command;
  const operation_id = envelope?.operation_id;
  if ('request' in command) {
    const { job, backup_target } = command.request;
    const backup_target_id = backup_target.id;
    return { action, operation_id, backup_target_id, jobid: job.jobid, target_type: backup_target.type };
  }
  return { action, operation_id, backup_target_id: 'targetId' in command ? command.targetId : undefined };
}
