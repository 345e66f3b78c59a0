import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  EVENTS_EXCHANGE,
  type Hello,
  HELLO_INTERVAL_MS,
  HELLO_TIMEOUT_MS,
  helloRoutingKey,
  PROTOCOL_VERSION,
} from '@app/contracts';
import { programVersion } from '@app/platform';
import { type ChannelModel, type ConfirmChannel } from 'amqplib';
import { within } from '../commands/within';
import { FENCE_MEMORY, type FenceMemory } from '../fence/fence-memory.interface';
import { MOUNT_TABLE, type MountTable } from '../kernel/mount-table.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { MountTableVersion } from './mount-table.version';

const CONFIRM_MS = 5_000;

/** Says every two seconds who this node is and what memory it has. */
@Injectable()
export class HelloService {
  readonly #logger = new Logger(HelloService.name);
  readonly #tableVersion = new MountTableVersion();
  readonly #version = programVersion();
  #connection: ChannelModel | null = null;
  #channel: ConfirmChannel | null = null;
  #timer: NodeJS.Timeout | null = null;
  #speaking = false;

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(FENCE_MEMORY) private readonly memory: FenceMemory,
    @Inject(MOUNT_TABLE) private readonly mountTable: MountTable,
  ) {}

  /**
   * Says hello on a new connection and goes on doing so. When it resolves the broker has the first one, which is to
   * be so before the node consumes a command there.
   */
  async begin(connection: ChannelModel): Promise<void> {
    if (this.#connection !== connection) this.#channel = null;
    this.#connection = connection;
    await this.#say();
    this.#timer ??= setInterval(() => void this.#sayAgain(), HELLO_INTERVAL_MS);
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#connection = null;
  }

  /** What this node says of itself now. */
  async hello(): Promise<Hello> {
    return {
      node: this.settings.nodeId,
      incarnation: this.memory.incarnation,
      boot_id: this.memory.bootId,
      protocol: PROTOCOL_VERSION,
      version: this.#version,
      bases: this.settings.mountBases,
      mount_table_version: this.#tableVersion.of(await this.mountTable.read()),
      public_key: null,
    };
  }

  async #sayAgain(): Promise<void> {
    if (this.#speaking) return;
    this.#speaking = true;
    try {
      await this.#say();
    } catch (error) {
      // A lost connection is reported by who keeps it, and the next one begins with a hello.
      this.#logger.debug({ msg: 'A hello could not be said', err: error });
    } finally {
      this.#speaking = false;
    }
  }

  async #say(): Promise<void> {
    const content = Buffer.from(JSON.stringify(await this.hello()));
    const channel = this.#channel ?? (await within(this.#open(), CONFIRM_MS, 'a channel for hellos'));
    const confirmed = new Promise<void>((resolve, reject) => {
      channel.publish(
        EVENTS_EXCHANGE,
        helloRoutingKey(this.settings.nodeId),
        content,
        { contentType: 'application/json', persistent: false, expiration: String(HELLO_TIMEOUT_MS) },
        (error: unknown) => {
          if (error === null || error === undefined) resolve();
          else reject(error instanceof Error ? error : new Error('The broker refused a hello'));
        },
      );
    });
    await within(confirmed, CONFIRM_MS, 'the confirmation of a hello');
  }

  async #open(): Promise<ConfirmChannel> {
    if (this.#connection === null) throw new Error('There is no connection to the broker');
    const channel = await this.#connection.createConfirmChannel();
    channel.on('error', (error: Error) => {
      this.#logger.warn(`The broker closed the channel of hellos: ${error.message}`);
    });
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = null;
    });
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    this.#channel = channel;
    return channel;
  }
}
