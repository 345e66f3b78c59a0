import { type Channel, type ChannelModel, connect, type ConsumeMessage } from 'amqplib';

interface PythonRequest {
  readonly action?: string;
  readonly jobid?: unknown;
  readonly backup_target?: { readonly id?: string; readonly filesystem_export_mount_path?: string };
}

/**
 * A stand-in for the Python server, which speaks as that one does: a classic durable queue without arguments, one
 * request at a time, replies of exactly three keys, and "Unknown action" for what it does not know. It mounts nothing:
 * `mounted` holds the paths that it would have mounted.
 */
export class PythonNode {
  readonly requests: PythonRequest[] = [];
  readonly mounted = new Set<string>();
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
    const request = JSON.parse(message.content.toString()) as PythonRequest;
    this.requests.push(request);
    const { replyTo, correlationId } = message.properties as { replyTo: string; correlationId: string };
    channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(this.#handle(request))), { correlationId });
    channel.ack(message);
  }

  #handle(request: PythonRequest): object {
    const path = request.backup_target?.filesystem_export_mount_path ?? '';
    switch (request.action) {
      case 'mount': {
        const again = this.mounted.has(path);
        this.mounted.add(path);
        return success(again ? `Already mounted at ${path}` : `S3 target mounted successfully at ${path}`);
      }
      case 'unmount':
        return success(
          this.mounted.delete(path)
            ? `Target unmounted successfully from ${path}`
            : `Target not mounted at ${path}`,
        );
      default:
        return { status: 'error', error_msg: `Unknown action: ${request.action}`, success_msg: null };
    }
  }
}

function success(text: string): object {
  return { status: 'success', error_msg: null, success_msg: text };
}
