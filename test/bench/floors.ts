import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rmdir } from 'node:fs/promises';
import { connect } from 'amqplib';
import { createConnection } from 'mysql2/promise';
import { type ObjectStoreAddress, runCommand, SYSTEM_PATH } from '../rig';
import { mountsBelow } from '../fleet/mount-table';

const COMMAND_TIMEOUT_MS = 30_000;

/** A floor: the least work, done once at each call. */
export interface Floor {
  once(): Promise<void>;
  close(): Promise<void>;
}

/** One durable INSERT and its commit, on an open connection. */
export async function insertFloor(databaseUrl: string): Promise<Floor> {
  const connection = await createConnection(databaseUrl);
  await connection.query(
    'CREATE TABLE IF NOT EXISTS bench_floor (id CHAR(36) PRIMARY KEY, text VARCHAR(255)) ENGINE=InnoDB',
  );
  return {
    once: async () => {
      await connection.beginTransaction();
      await connection.query('INSERT INTO bench_floor VALUES (?, ?)', [randomUUID(), 'x'.repeat(200)]);
      await connection.commit();
    },
    close: () => connection.end(),
  };
}

/** A message to a queue and its echo back over direct reply-to. */
export async function echoFloor(brokerUrl: string): Promise<Floor> {
  const connection = await connect(brokerUrl, { noDelay: true });
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.consume(
    queue,
    (message) => message && channel.sendToQueue(String(message.properties.replyTo), message.content),
    { noAck: true },
  );
  let answered: () => void = () => undefined;
  await channel.consume('amq.rabbitmq.reply-to', () => answered(), { noAck: true });
  return {
    once: () =>
      new Promise((resolve) => {
        answered = resolve;
        channel.sendToQueue(queue, Buffer.from('x'.repeat(500)), { replyTo: 'amq.rabbitmq.reply-to' });
      }),
    close: () => connection.close(),
  };
}

/** A bare `s3fs -f` until it stands in the mount table and has answered a readdir; `release` unmounts it again. */
export class BareS3fs {
  #process: ReturnType<typeof spawn> | null = null;

  constructor(
    private readonly s3: ObjectStoreAddress,
    private readonly bucket: string,
    private readonly path: string,
  ) {}

  async mount(): Promise<void> {
    await mkdir(this.path, { recursive: true });
    const options = ['use_path_request_style', `url=${this.s3.endpoint}`, `endpoint=${this.s3.region}`];
    this.#process = spawn(
      's3fs',
      [this.bucket, this.path, '-f', ...options.flatMap((option) => ['-o', option])],
      {
        stdio: 'ignore',
        env: {
          PATH: SYSTEM_PATH,
          AWS_ACCESS_KEY_ID: this.s3.accessKey,
          AWS_SECRET_ACCESS_KEY: this.s3.secretKey,
        },
      },
    );
    while (mountsBelow(this.path).length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await this.#run('find', [this.path, '-mindepth', '1', '-maxdepth', '1', '-print', '-quit']);
  }

  async release(): Promise<void> {
    const ended = this.#process === null ? Promise.resolve() : once(this.#process, 'exit');
    await this.#run('umount', [this.path]);
    await ended;
    await rmdir(this.path);
  }

  async #run(command: string, args: readonly string[]): Promise<void> {
    await runCommand(command, args, { timeoutMs: COMMAND_TIMEOUT_MS });
  }
}
