import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child } from '../support/child';
import { freePort } from '../support/ports';
import { allDone, waitFor } from '../support/wait';
import { startPortMapper } from './epmd';
import { RabbitMq, type RabbitMqOptions } from './rabbitmq';

const NODES = 3;
const CHANGE_TIMEOUT_MS = 60_000;

/** Three RabbitMQ brokers that are one: each can be killed, stopped, paused and cut off from the others. */
export class RabbitMqCluster {
  #nodes: readonly RabbitMq[] = [];
  #mapper: Child | undefined;
  readonly #names = Array.from({ length: NODES }, (_, index) => `u${index + 1}@localhost`);

  constructor(
    readonly directory: string,
    private readonly options: Omit<RabbitMqOptions, 'directory' | 'member'> = {},
  ) {}

  get nodes(): readonly RabbitMq[] {
    return this.#nodes;
  }

  /** The address of each broker. */
  get urls(): string[] {
    return this.#nodes.map(({ url }) => url);
  }

  /** Starts all brokers; resolves when they are one cluster. */
  async start(): Promise<void> {
    if (this.#nodes.length === 0) {
      this.#nodes = await this.#make();
      await this.#nodes[0].start();
    }
    // A broker that was a member waits for those that ended after it, so that they start side by side.
    await allDone(this.#nodes.map((node) => node.start()));
    await this.whole();
  }

  async stop(): Promise<void> {
    await allDone(this.#nodes.map((node) => node.stop()));
    await this.#mapper?.stop();
  }

  /** SIGKILL to all brokers, as a power cut. `start` brings the cluster back. */
  async kill(): Promise<void> {
    await allDone(this.#nodes.map((node) => node.kill()));
  }

  /** Cuts a broker off from the others; its clients still reach it. As a minority it pauses and sends them away. */
  async isolate(node: RabbitMq): Promise<void> {
    // Refusing their cookie keeps the others from coming back.
    await this.#withOthers(
      node,
      (other) => `erlang:set_cookie(${other}, cut), erlang:disconnect_node(${other})`,
    );
  }

  /** Ends `isolate`. Resolves when the cluster is whole. */
  async rejoin(node: RabbitMq): Promise<void> {
    await this.#withOthers(
      node,
      (other) => `erlang:set_cookie(${other}, erlang:get_cookie()), net_kernel:connect_node(${other})`,
    );
    await this.whole();
  }

  /** Resolves when all brokers that run are one cluster. */
  async whole(): Promise<void> {
    const running = this.#nodes.filter((node) => node.running);
    await waitFor(
      async () => {
        const counts = await Promise.all(running.map((node) => runningMembers(node)));
        return counts.every((count) => count === running.length);
      },
      { timeoutMs: CHANGE_TIMEOUT_MS, what: 'the RabbitMQ cluster to be whole', intervalMs: 250 },
    );
  }

  async #withOthers(node: RabbitMq, work: (other: string) => string): Promise<void> {
    const others = this.#names.filter((_, index) => this.#nodes[index] !== node).map((name) => `'${name}'`);
    await node.ctl(['eval', `${others.map(work).join(', ')}.`]);
  }

  async #make(): Promise<RabbitMq[]> {
    const mapperPort = await freePort();
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    this.#mapper = await startPortMapper(mapperPort, this.directory, join(this.directory, 'epmd.log'));
    const shared = {
      first: this.#names[0],
      password: randomBytes(12).toString('hex'),
      cookie: randomBytes(16).toString('hex'),
      mapperPort,
    };
    return this.#names.map(
      (name, index) =>
        new RabbitMq({
          ...this.options,
          directory: join(this.directory, `u${index + 1}`),
          member: { ...shared, name },
        }),
    );
  }
}

async function runningMembers(node: RabbitMq): Promise<number> {
  try {
    return Number(await node.ctl(['eval', 'length(rabbit_mnesia:cluster_nodes(running)).']));
  } catch {
    return 0;
  }
}
