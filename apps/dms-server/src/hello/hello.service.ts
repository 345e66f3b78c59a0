import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  type Hello,
  HELLO_INTERVAL_MS,
  helloRoutingKey,
  MAX_TRUSTED_CLIENTS,
  PROTOCOL_VERSION,
} from '@app/contracts';
import { BrokerAlarm, programVersion } from '@app/platform';
import { type ChannelModel } from 'amqplib';
import { within } from '../commands/within';
import { FenceService } from '../fence/fence.service';
import { knownMntId } from '../fence/target-record';
import { MOUNT_TABLE, type MountTable } from '../kernel/mount-table.interface';
import { CLIENT_KEYS, type ClientKeys } from '../keys/client-keys';
import { NODE_KEYS, type NodeKeys } from '../keys/node-keys';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { Announcements } from './announcements.service';
import { MountTableVersion } from './mount-table.version';
import { nodeClockMs } from './node-clock';
import { NodeProblem } from './node-problem';
import { TroubledMounts } from './troubled-mounts';
import { WaysIn } from './ways-in';

/** A server that stops does not wait for its broker for longer. */
const LAST_MS = 1_000;

/** Says every two seconds who this node is and what memory it has. */
@Injectable()
export class HelloService {
  readonly #logger = new Logger(HelloService.name);
  readonly #tableVersion = new MountTableVersion();
  readonly #version = programVersion();
  #timer: NodeJS.Timeout | null = null;
  #speaking = false;

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    private readonly fences: FenceService,
    @Inject(MOUNT_TABLE) private readonly mountTable: MountTable,
    private readonly announcements: Announcements,
    @Inject(NODE_KEYS) private readonly keys: NodeKeys,
    @Inject(WaysIn) private readonly ways: Readonly<WaysIn>,
    private readonly troubled: TroubledMounts,
    @Inject(CLIENT_KEYS) private readonly clients: ClientKeys,
    @Inject(NodeProblem) private readonly problem: Pick<NodeProblem, 'text'>,
    @Inject(BrokerAlarm) alarm: Pick<BrokerAlarm, 'onChange'>,
  ) {
    alarm.onChange((reason) => {
      if (reason === null && this.#timer !== null) void this.#sayAgain();
    });
  }

  /**
   * Says hello on a new connection and goes on doing so. When it resolves the broker has the first one, which is to
   * be so before the node consumes a command there.
   */
  async begin(connection: ChannelModel): Promise<void> {
    this.announcements.begin(connection);
    await this.#say();
    this.#timer ??= setInterval(() => void this.#sayAgain(), HELLO_INTERVAL_MS);
  }

  /** Says that the server stops, as well as it can: whoever does not hear it learns it by the silence. */
  async leave(): Promise<void> {
    this.#stopTimer();
    try {
      const last = { ...(await this.hello()), leaving: true };
      const said = this.announcements.publish(helloRoutingKey(this.settings.nodeId), last);
      await within(said, LAST_MS, 'the last hello to be taken');
    } catch (error) {
      this.#logger.debug({ msg: 'The last hello could not be said', err: error });
    }
  }

  end(): void {
    this.#stopTimer();
    this.announcements.end();
  }

  /** What this node says of itself now. */
  async hello(): Promise<Hello> {
    const { servedLedger: ledger } = this.fences;
    const troubled = this.troubled.forHello(({ backup_target_id, epoch, mnt_id }) => {
      const { epoch: current, mountedAs } = this.fences.recordOf(backup_target_id);
      return current === epoch && mountedAs !== null && knownMntId(mountedAs) === mnt_id;
    });
    const trusted = this.settings.requireSigned ? (await this.clients.current()).map(({ kid }) => kid) : [];
    const { text: problem } = this.problem;
    return {
      node: this.settings.nodeId,
      incarnation: this.fences.incarnation,
      boot_id: this.fences.bootId,
      protocol: PROTOCOL_VERSION,
      version: this.#version,
      bases: this.settings.mountBases,
      mount_table_version: this.#tableVersion.of(await this.mountTable.read()),
      public_key: this.keys.encryption.publicKey,
      signing_key: this.keys.signing.publicKey,
      signs_replies: true,
      ...(ledger === null ? {} : { ledger }),
      ...(this.ways.commandQueue === null ? {} : { command_queue: this.ways.commandQueue }),
      ...(this.ways.legacyQueueProblem === null ? {} : { legacy_queue_lost: true }),
      clock_ms: nodeClockMs(),
      ...(problem === null ? {} : { problem }),
      // Without any key the node obeys everybody.
      ...(trusted.length === 0 || trusted.length > MAX_TRUSTED_CLIENTS ? {} : { trusted_clients: trusted }),
      ...(troubled.length === 0 ? {} : { troubled_mounts: troubled }),
    };
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #sayAgain(): Promise<void> {
    if (this.#speaking) return;
    this.#speaking = true;
    try {
      const hello = await this.hello();
      if (this.#timer === null) return;
      await this.announcements.publish(helloRoutingKey(this.settings.nodeId), hello);
    } catch (error) {
      // A lost connection is reported by who keeps it, and the next one begins with a hello.
      this.#logger.debug({ msg: 'A hello could not be said', err: error });
    } finally {
      this.#speaking = false;
    }
  }

  async #say(): Promise<void> {
    await this.announcements.publish(helloRoutingKey(this.settings.nodeId), await this.hello());
  }
}
