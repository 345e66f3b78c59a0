import { mkdir } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RabbitMq, type RabbitMqOptions } from './broker/rabbitmq';
import { RabbitMqCluster } from './broker/rabbitmq-cluster';
import { GaleraCluster } from './database/galera-cluster';
import { MariaDb, type MariaDbOptions } from './database/mariadb';
import { Cloud, type CloudOptions } from './openstack/cloud';
import { type CloudAddress } from './openstack/cloud-client';
import { type ObjectStoreAddress } from './s3/object-store-client';
import { Swift } from './s3/swift';
import { makeDirectory, removeDirectory, unmountBelow } from './support/directory';
import { onEnding } from './support/ending';
import { allDone } from './support/wait';

/** What a rig can be made of. The names are those of the package groups in scripts/packages.mjs. */
export type RigPart = 'database' | 'broker' | 'openstack' | 's3';

const ALL_PARTS: readonly RigPart[] = ['database', 'broker', 'openstack', 's3'];

/** What to start, and where. */
export interface RigOptions {
  /** A directory that does not exist yet or is empty; removed by `stop`. Default: a new one for temporary files. */
  readonly directory?: string;
  /** Default: all. */
  readonly parts?: readonly RigPart[];
  /** Gets a line for each part when it is ready. */
  readonly onProgress?: (line: string) => void;
  /** Whether ctrl-C, SIGTERM and uncaught errors stop the rig. Default: yes. A program that ends orderly by itself
   * says no; the guardian stays in either case. */
  readonly stopOnSignals?: boolean;
  /** Whether the database and the broker are clusters of three nodes each; needs the package group `clusters`. */
  readonly clusters?: boolean;
  readonly database?: Omit<MariaDbOptions, 'directory' | 'password'>;
  readonly broker?: Omit<RabbitMqOptions, 'directory' | 'member'>;
  readonly openstack?: Omit<CloudOptions, 'directory'>;
}

/** How to reach the parts that run: plain data, to be handed to other processes. */
export interface RigAddresses {
  readonly directory: string;
  /** Of a cluster: the first node. */
  readonly databaseUrl?: string;
  readonly brokerUrl?: string;
  /** Of all nodes, where database and broker are clusters. */
  readonly clusterUrls?: { readonly database: readonly string[]; readonly broker: readonly string[] };
  readonly cloud?: CloudAddress;
  readonly s3?: ObjectStoreAddress;
}

interface Startable {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Private real services for the demo, the tests and the benchmark: nothing of them touches what else runs on the
 * machine, and nothing of them is left when they stop or when the process that started them ends in whatever way.
 */
export class Rig {
  private readonly running = new Map<RigPart, Startable>();
  private stopping: Promise<void> | undefined;
  private forgetEnding: () => void = () => undefined;

  private constructor(
    /** Holds the data of all parts; free for use by tests, under names of their own. */
    readonly directory: string,
    private readonly options: RigOptions,
  ) {}

  /** Starts the parts side by side. If one fails, all are stopped and the error tells the end of its log. */
  static async start(options: RigOptions = {}): Promise<Rig> {
    const directory = resolve(options.directory ?? join(tmpdir(), `dms-rig-${randomUUID().slice(0, 8)}`));
    await makeDirectory(directory);
    const rig = new Rig(directory, options);
    if (options.stopOnSignals !== false) rig.forgetEnding = onEnding(() => rig.stop());
    try {
      await allDone((options.parts ?? ALL_PARTS).map((part) => rig.startPart(part)));
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  /** The database; the first node of a cluster. */
  get database(): MariaDb {
    const part = this.part('database');
    return part instanceof GaleraCluster ? part.nodes[0] : (part as MariaDb);
  }

  /** The broker; the first node of a cluster. */
  get broker(): RabbitMq {
    const part = this.part('broker');
    return part instanceof RabbitMqCluster ? part.nodes[0] : (part as RabbitMq);
  }

  get databaseCluster(): GaleraCluster {
    const part = this.part('database');
    if (part instanceof GaleraCluster) return part;
    throw new Error('The database of this rig is no cluster');
  }

  get brokerCluster(): RabbitMqCluster {
    const part = this.part('broker');
    if (part instanceof RabbitMqCluster) return part;
    throw new Error('The broker of this rig is no cluster');
  }

  /** Keystone and Barbican. */
  get cloud(): Cloud {
    return this.part('openstack') as Cloud;
  }

  get s3(): Swift {
    return this.part('s3') as Swift;
  }

  /** The addresses of the parts that were started. */
  get addresses(): RigAddresses {
    return {
      directory: this.directory,
      ...(this.running.has('database') ? { databaseUrl: this.database.url } : {}),
      ...(this.running.has('broker') ? { brokerUrl: this.broker.url } : {}),
      ...(this.options.clusters === true
        ? { clusterUrls: { database: this.databaseCluster.urls, broker: this.brokerCluster.urls } }
        : {}),
      ...(this.running.has('openstack') ? { cloud: this.cloud.address } : {}),
      ...(this.running.has('s3') ? { s3: this.s3.address } : {}),
    };
  }

  /** A directory below the rig's own, made if missing. Mounts in it are unmounted when the rig stops. */
  async subdirectory(name: string): Promise<string> {
    const path = join(this.directory, name);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Ends all parts and removes the directory. Safe to call again, and while another call is under way. */
  async stop(): Promise<void> {
    this.stopping ??= this.end();
    await this.stopping;
  }

  private async end(): Promise<void> {
    // Mounts first: one whose bucket is gone already may hang instead of letting go.
    await unmountBelow(this.directory);
    try {
      await allDone([...this.running.values()].map((part) => part.stop()));
    } finally {
      await removeDirectory(this.directory);
      this.forgetEnding();
    }
  }

  private async startPart(part: RigPart): Promise<void> {
    const began = Date.now();
    const made = this.make(part);
    this.running.set(part, made);
    await made.start();
    this.options.onProgress?.(`${TITLES[part]} ready after ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }

  private make(part: RigPart): Startable {
    const directory = join(this.directory, part);
    switch (part) {
      case 'database':
        if (this.options.clusters === true) return new GaleraCluster(directory, this.options.database);
        return new MariaDb({ ...this.options.database, directory });
      case 'broker':
        if (this.options.clusters === true) return new RabbitMqCluster(directory, this.options.broker);
        return new RabbitMq({ ...this.options.broker, directory });
      case 'openstack':
        return new Cloud({ ...this.options.openstack, directory });
      case 's3':
        return new Swift({ directory });
    }
  }

  private part(part: RigPart): Startable {
    const found = this.running.get(part);
    if (!found) throw new Error(`This rig was started without the part '${part}'`);
    return found;
  }
}

const TITLES: Record<RigPart, string> = {
  database: 'MariaDB',
  broker: 'RabbitMQ',
  openstack: 'Keystone and Barbican',
  s3: 'Swift (S3)',
};
