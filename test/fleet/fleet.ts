import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { makeDirectory, removeDirectory, type RigAddresses, unmountBelow, waitFor } from '../rig';
import { type Api } from './api';
import { ClientProcess } from './client-process';
import { NodeProcess } from './node-process';
import { Targets } from './targets';

export interface FleetOptions {
  readonly nodes?: number;
  readonly clients?: number;
  readonly nodeSettings?: Readonly<Record<string, string>>;
  readonly clientSettings?: Readonly<Record<string, string>>;
  /**
   * On a rig with clusters: how many of the cluster's nodes each program knows. The first one that a program knows is
   * another one for each. Default: all.
   */
  readonly hosts?: 'all' | 'one';
}

/** Nodes and clients on one machine, with a database and names of their own, over the services of a rig. */
export class Fleet {
  readonly #id = randomUUID().slice(0, 8);
  readonly nodes: NodeProcess[] = [];
  readonly clients: ClientProcess[] = [];
  readonly targets: Targets;
  #hosts: 'all' | 'one' = 'all';

  private constructor(private readonly rig: RigAddresses) {
    this.targets = new Targets(rig);
  }

  /** @param rig addresses of a rig with all its parts; `directory` gets a directory for this fleet */
  static async start(rig: RigAddresses, options: FleetOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(rig);
    try {
      await fleet.#start(options);
      return fleet;
    } catch (error) {
      await fleet.stop().catch((cleanup: unknown) => {
        throw new AggregateError([error, cleanup], `The fleet did not start: ${String(error)}`);
      });
      throw error;
    }
  }

  get directory(): string {
    return join(this.rig.directory, `fleet-${this.#id}`);
  }

  get brokerUrl(): string {
    return required(this.rig.brokerUrl, 'broker');
  }

  get databaseUrl(): string {
    return this.#own(required(this.rig.databaseUrl, 'database'));
  }

  /** The first node. */
  get node(): NodeProcess {
    return required(this.nodes.at(0), 'node');
  }

  /** The facade of the first client. */
  get api(): Api {
    return required(this.clients.at(0), 'client').api;
  }

  /** A node that is not started yet. */
  addNode(
    settings: Readonly<Record<string, string>> = {},
    host = `node-${this.#id}-${this.nodes.length + 1}`,
  ): NodeProcess {
    const node = new NodeProcess({
      host,
      directory: join(this.directory, `node-${this.nodes.length + 1}`),
      brokerUrl: this.#brokersFor(this.nodes.length),
      authUrl: required(this.rig.cloud, 'openstack').authUrl,
      settings,
    });
    this.nodes.push(node);
    return node;
  }

  /** A client that is not started yet. */
  addClient(settings: Readonly<Record<string, string>> = {}): ClientProcess {
    const client = new ClientProcess({
      name: `dms-client-${this.clients.length + 1}`,
      directory: join(this.directory, 'clients'),
      brokerUrl: this.#brokersFor(this.clients.length),
      databaseUrl: this.#databasesFor(this.clients.length),
      settings,
    });
    this.clients.push(client);
    return client;
  }

  /** Rows of a query on the fleet's ledger. */
  async query<T>(sql: string, values: readonly (string | number | null)[] = []): Promise<T[]> {
    const connection = await createConnection({ uri: this.databaseUrl, timezone: 'Z' });
    try {
      const [rows] = await connection.query<RowDataPacket[]>(sql, [...values]);
      return rows as T[];
    } finally {
      await connection.end();
    }
  }

  /** Resolves when the clients have heard every node. */
  async acquainted(): Promise<void> {
    const heard = async (): Promise<boolean> =>
      (await this.query('SELECT host FROM nodes')).length >= this.nodes.length;
    await waitFor(heard, { timeoutMs: 20_000, what: 'the first hellos to be heard' });
  }

  /** Ends the programs, unmounts what they left below the fleet's directory, and drops the database. */
  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.stop()));
    await Promise.all(this.nodes.map((node) => node.stop()));
    await unmountBelow(this.directory);
    await removeDirectory(this.directory);
    await this.#administer(`DROP DATABASE IF EXISTS fleet_${this.#id}`);
  }

  async #start({
    nodes = 1,
    clients = 1,
    nodeSettings = {},
    clientSettings = {},
    hosts = 'all',
  }: FleetOptions): Promise<void> {
    this.#hosts = hosts;
    await makeDirectory(this.directory);
    await this.#administer(`CREATE DATABASE fleet_${this.#id} CHARACTER SET utf8mb4`);
    for (let index = 0; index < nodes; index += 1) this.addNode(nodeSettings);
    for (let index = 0; index < clients; index += 1) this.addClient(clientSettings);
    const first = [...this.nodes, ...this.clients.slice(0, 1)];
    await Promise.all(first.map((program) => program.start()));
    // After the first client, which migrates: migrations that meet have a test of their own.
    await Promise.all(this.clients.slice(1).map((client) => client.start()));
  }

  /** The brokers for the program of this number, as its setting lists them. */
  #brokersFor(index: number): string {
    return this.#turned(this.rig.clusterUrls?.broker ?? [this.brokerUrl], index);
  }

  #databasesFor(index: number): string {
    const urls = this.rig.clusterUrls?.database.map((url) => this.#own(url)) ?? [this.databaseUrl];
    return this.#turned(urls, index);
  }

  #turned(urls: readonly string[], index: number): string {
    const first = index % urls.length;
    const turned = [...urls.slice(first), ...urls.slice(0, first)];
    return (this.#hosts === 'one' ? turned.slice(0, 1) : turned).join(',');
  }

  /** The address of this fleet's database on the same server. */
  #own(server: string): string {
    const url = new URL(server);
    url.pathname = `/fleet_${this.#id}`;
    return url.href;
  }

  async #administer(sql: string): Promise<void> {
    const connection = await createConnection(required(this.rig.databaseUrl, 'database'));
    try {
      await connection.query(sql);
    } finally {
      await connection.end();
    }
  }
}

function required<T>(value: T | undefined, part: string): T {
  if (value === undefined) throw new Error(`The fleet has no ${part}`);
  return value;
}
