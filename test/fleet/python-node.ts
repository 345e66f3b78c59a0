import { type Channel, type ChannelModel, connect, type ConsumeMessage } from 'amqplib';

interface PythonRequest {
  readonly action?: string;
  readonly jobid?: unknown;
  readonly backup_target?: {
    readonly id?: string;
    readonly type?: string;
    readonly filesystem_export_mount_path?: string | null;
  };
}

/**
 * A stand-in for the Python server, which speaks as that one does: a classic durable queue without arguments, one
 * request at a time, replies of exactly three keys, and "Unknown action" for what it does not know. It mounts nothing:
 * `mounted` holds the paths that it would have mounted.
 */
export class PythonNode {
  readonly requests: PythonRequest[] = [];
  readonly mounted = new Set<string>();
  /** With what mounts fail; null: they succeed. */
  mountError: string | null = null;
  #connection: ChannelModel | null = null;

  constructor(
    private readonly brokerUrl: string,
    readonly host: string,
  ) {}

  async start(): Promise<void> {
    this.#connection = await connect(this.brokerUrl);
    const channel = await this.#connection.createChannel();
    await channel.assertQueue(`dms.${this.host}`, { durable: true });
    await channel.prefetch(1);
    await channel.consume(`dms.${this.host}`, (message) => this.#answer(channel, message));
  }

  async stop(): Promise<void> {
    await this.#connection?.close();
  }

  #answer(channel: Channel, message: ConsumeMessage | null): void {
    if (message === null) return;
    const { replyTo, correlationId } = message.properties as { replyTo: string; correlationId: string };
    const reply = this.#reply(message.content.toString());
    channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(reply)), { correlationId });
    channel.ack(message);
  }

  #reply(text: string): object {
    try {
      const request = JSON.parse(text) as PythonRequest;
      this.requests.push(request);
      return this.#handle(request);
    } catch {
      return failure('Invalid JSON format in request');
    }
  }

  #handle(request: PythonRequest): object {
    const { id, type, filesystem_export_mount_path: path } = request.backup_target ?? {};
    if (id === undefined) return failure("Missing required field: 'id'");
    if (path === undefined || path === null)
      return failure("Missing required field: 'filesystem_export_mount_path'");
    switch (request.action) {
      case 'mount': {
        if (this.mountError !== null) return failure(this.mountError);
        const again = this.mounted.has(path);
        this.mounted.add(path);
        const name = type === 'nfs' ? 'NFS' : 'S3';
        return success(
          again ? `Already mounted at ${path}` : `${name} target mounted successfully at ${path}`,
        );
      }
      case 'unmount':
        return success(
          this.mounted.delete(path)
            ? `Target unmounted successfully from ${path}`
            : `Target not mounted at ${path}`,
        );
      default:
        return failure(`Unknown action: ${request.action}`);
    }
  }
}

function success(text: string): object {
  return { status: 'success', error_msg: null, success_msg: text };
}

function failure(text: string): object {
  return { status: 'error', error_msg: text, success_msg: null };
}
