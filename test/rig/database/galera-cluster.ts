import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../support/command';
import { allDone, waitFor } from '../support/wait';
import { GaleraNode, type Position } from './galera-node';
import { type MariaDbOptions } from './mariadb';

const NODES = 3;
const CHANGE_TIMEOUT_MS = 60_000;
const COPY_TIMEOUT_MS = 60_000;

/** Three MariaDB servers that are one database: each can be written to, killed, stopped, paused and cut off. */
export class GaleraCluster {
  readonly nodes: readonly GaleraNode[];
  readonly #password = randomBytes(12).toString('hex');

  constructor(
    readonly directory: string,
    options: Omit<MariaDbOptions, 'directory' | 'password'> = {},
  ) {
    this.nodes = Array.from(
      { length: NODES },
      (_, index) =>
        new GaleraNode({
          ...options,
          directory: join(directory, `g${index + 1}`),
          password: this.#password,
          name: `g${index + 1}`,
          addresses: () => this.nodes.map(({ groupAddress }) => groupAddress).join(','),
        }),
    );
  }

  /** The addresses of the database `dms` on each node. */
  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** Starts all nodes: the one with the newest data begins the cluster, and the others join it. */
  async start(): Promise<void> {
    if (this.nodes.some(({ running }) => running)) {
      await allDone(this.nodes.map((node) => node.start()));
      await this.whole();
      return;
    }
    await allDone(this.nodes.map((node) => node.reservePorts()));
    const first = await this.#newest();
    await first.start();
    await allDone(this.nodes.filter((node) => node !== first).map((node) => node.start()));
    await this.whole();
  }

  /** Resolves when all nodes that run are one cluster, each with all of its data. */
  async whole(): Promise<void> {
    const running = this.nodes.filter((node) => node.running);
    const isWhole = async (): Promise<boolean> => {
      const parts = await Promise.all(running.map((node) => node.isPartOf(running.length)));
      return parts.every(Boolean);
    };
    await waitFor(isWhole, {
      timeoutMs: CHANGE_TIMEOUT_MS,
      what: 'the MariaDB cluster to be whole',
      intervalMs: 100,
    });
  }

  async stop(): Promise<void> {
    await allDone(this.nodes.map((node) => node.stop()));
  }

  /** SIGKILL to all nodes, as a power cut. `start` brings the cluster back. */
  async kill(): Promise<void> {
    await allDone(this.nodes.map((node) => node.kill()));
  }

  async #newest(): Promise<GaleraNode> {
    if (!existsSync(this.nodes[0].dataDirectory)) await this.#provideData();
    const found: { node: GaleraNode; position: Position }[] = [];
    for (const node of this.nodes) {
      const position = await node.position();
      if (position === null) continue;
      await node.writeState(position);
      found.push({ node, position });
    }
    const [newest] = found.sort((one, other) => other.position.seqno - one.position.seqno);
    if (newest === undefined) throw new Error('No node of the cluster has data');
    await newest.node.prepareBootstrap(newest.position);
    return newest.node;
  }

  /**
   * Gives all nodes the same data at the same position: a first transfer of all data takes several seconds. The position
   * lies in the tables, too, so that it has to come from a cluster: the first node alone is one for a moment.
   */
  async #provideData(): Promise<void> {
    const [first, ...others] = this.nodes;
    await first.makeData();
    for (const node of others) {
      await mkdir(node.directory, { recursive: true, mode: 0o700 });
      await runCommand('/bin/cp', ['-a', '--sparse=always', first.dataDirectory, node.dataDirectory], {
        timeoutMs: COPY_TIMEOUT_MS,
      });
    }
  }
}
