import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Ganesha, type NfsExport, type NfsExportRights, type RigAddresses, waitFor } from '../rig';
import { type Answer } from './api';
import { Fleet, type FleetOptions } from './fleet';
import { HostNfsNode } from './host-nfs-node';
import { mountsBelow } from './mount-table';
import { nfsNodeKind } from './nfs-client-kernel';
import { type NfsNode } from './nfs-node.interface';
import { UmlNode } from './uml-node';

/** An export as a backup target. */
export interface NfsTarget {
  readonly id: string;
  readonly server: Pick<Ganesha, 'port'>;
  /** On this machine: what the server has. */
  readonly directory: string;
  readonly path: string;
}

export interface NfsFleetOptions extends Pick<FleetOptions, 'nodeSettings' | 'clientSettings' | 'clients'> {
  readonly nodes?: number;
  readonly servers?: number;
}

/** Nodes with an NFS client, NFS servers, and clients over the services of a rig. */
export class NfsFleet {
  readonly nodes: NfsNode[] = [];
  readonly servers: Ganesha[] = [];

  private constructor(readonly fleet: Fleet) {}

  static async start(rig: RigAddresses, options: NfsFleetOptions = {}): Promise<NfsFleet> {
    const { nodes = 1, servers = 1, nodeSettings = {}, clients = 1, clientSettings = {} } = options;
    const fleet = new NfsFleet(await Fleet.start(rig, { nodes: 0, clients, clientSettings }));
    try {
      for (let index = 1; index <= servers; index += 1) fleet.addServer(index);
      for (let index = 1; index <= nodes; index += 1) fleet.addNode(index, nodeSettings);
      await Promise.all([...fleet.nodes, ...fleet.servers].map((part) => part.start()));
      await fleet.acquainted();
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get node(): NfsNode {
    return this.nodes[0];
  }

  get server(): Ganesha {
    return this.servers[0];
  }

  /** A server that is not started yet. */
  addServer(index: number): Ganesha {
    const directory = join(this.fleet.directory, `nfs-${index}`);
    const server = new Ganesha({ directory, title: `nfs-ganesha ${index}` });
    this.servers.push(server);
    return server;
  }

  /** A node that is not started yet. */
  addNode(index: number, settings: Readonly<Record<string, string>> = {}): NfsNode {
    const options = {
      host: `nfs-${randomUUID().slice(0, 8)}-${index}`,
      directory: join(this.fleet.directory, `node-${index}`),
      brokerUrl: this.fleet.brokerUrl,
      settings,
    };
    const node =
      nfsNodeKind() === 'uml' ? new UmlNode(options) : new HostNfsNode(this.fleet.addNode(settings));
    this.nodes.push(node);
    return node;
  }

  /** Resolves when the clients have heard every node. */
  async acquainted(): Promise<void> {
    const heard = async (): Promise<boolean> =>
      (await this.fleet.query('SELECT host FROM nodes')).length >= this.nodes.length;
    await waitFor(heard, { timeoutMs: 20_000, what: 'the first hellos to be heard' });
  }

  /** New exports as targets; a server that runs is started anew, once. */
  async targets(
    count: number,
    name: string,
    server = this.server,
    rights: NfsExportRights = {},
  ): Promise<NfsTarget[]> {
    const made: NfsTarget[] = [];
    for (let index = 1; index <= count; index += 1) {
      const id = `${name}-${randomUUID().slice(0, 8)}`;
      const { path, directory }: NfsExport = await server.addExport(id, rights);
      made.push({ id, server, directory, path });
    }
    if (server.running) await server.restart();
    return made;
  }

  /** Where a node has a target's mount. */
  mountPath(target: NfsTarget, node = this.node): string {
    return join(node.base, target.id);
  }

  async mount(jobid: number, target: NfsTarget, options: RequestOptions = {}): Promise<Answer> {
    return this.#send('mount', jobid, target, options);
  }

  async unmount(jobid: number, target: NfsTarget, options: RequestOptions = {}): Promise<Answer> {
    return this.#send('unmount', jobid, target, options);
  }

  /** Lines of the node's mount table at or below a path, as `mountsBelow`. */
  async mounts(node = this.node, path = node.base): Promise<string[]> {
    const { output } = await node.sh('cat /proc/self/mountinfo');
    return mountsBelow(path, output);
  }

  /** The state in `target_mounts`; undefined where there is no row. */
  async state(target: NfsTarget, node = this.node): Promise<string | undefined> {
    const sql = 'SELECT state FROM target_mounts WHERE backup_target_id = ? AND host = ?';
    const rows = await this.fleet.query<{ state: string }>(sql, [target.id, node.host]);
    return rows.at(0)?.state;
  }

  /** The states of a target's bindings on a node, by job. */
  async bindings(target: NfsTarget, node = this.node): Promise<string[]> {
    const sql =
      'SELECT state FROM backup_target_mount_ledger WHERE backup_target_id = ? AND host = ? ORDER BY jobid';
    const rows = await this.fleet.query<{ state: string }>(sql, [target.id, node.host]);
    return rows.map(({ state }) => state);
  }

  /** Resolves when the row of a target has a state. */
  async reaches(target: NfsTarget, state: string, timeoutMs: number): Promise<void> {
    await waitFor(async () => (await this.state(target)) === state, {
      timeoutMs,
      what: `the row of ${target.id} to be ${state}`,
    });
  }

  /** Asks for a mount until it is granted. */
  async mountsWithin(timeoutMs: number, jobid: number, target: NfsTarget): Promise<void> {
    await waitFor(async () => (await this.mount(jobid, target)).body.status === 'success', {
      timeoutMs,
      what: `${target.id} to be mounted for job ${jobid}`,
      intervalMs: 500,
    });
  }

  /** Resolves when nothing of a target is left on a node: no mount, no process that mounts, and no child on record. */
  async leavesNothing(target: NfsTarget, node = this.node): Promise<void> {
    const script = [
      `grep -F ${target.id} /proc/self/mountinfo`,
      `pgrep -af '[m]ount.*${target.id}'`,
      // No child was ever needed where nothing was begun.
      `ls -d ${node.runDirectory} >/dev/null && [ ! -d ${node.runDirectory}/children ] || ls -A ${node.runDirectory}/children`,
    ].join('\n');
    // Children that ask other mounts whether they are well come and go.
    let left = '';
    const isNothing = async (): Promise<boolean> => (left = (await node.sh(`${script}\ntrue`)).output) === '';
    await waitFor(isNothing, { timeoutMs: 15_000, what: 'nothing to be left', intervalMs: 100 }).catch(() => {
      throw new Error(`This is left of ${target.id}:\n${left}`);
    });
  }

  /** Ends everything. Guests go first: what is mounted in them needs no unmounting then. */
  async stop(): Promise<void> {
    for (const server of this.servers) if (server.running) server.resume();
    await Promise.all(this.nodes.filter(({ guest }) => guest !== null).map((node) => node.stop()));
    await this.fleet.stop();
    await Promise.all(this.servers.map((server) => server.kill()));
  }

  async #send(
    action: 'mount' | 'unmount',
    jobid: number,
    target: NfsTarget,
    { node = this.node, options = 'rw,softerr,timeo=100,retrans=3', changes = {} }: RequestOptions,
  ): Promise<Answer> {
    const mountOptions = `${options},port=${target.server.port}`;
    const body = await this.fleet.targets.request(node.host, jobid, { id: target.id, secretRef: '' });
    const backupTarget = {
      ...(body.backup_target as object),
      type: 'nfs',
      secret_ref: null,
      filesystem_export: `${node.serverAddress}:${target.path}`,
      nfs_mount_opts: mountOptions,
      ...changes,
    };
    return this.fleet.api.post(`/api/v1/${action}`, { ...body, backup_target: backupTarget });
  }
}

export interface RequestOptions {
  readonly node?: NfsNode;
  /** The options of the mount; the server's port is added. */
  readonly options?: string;
  /** Changes of `backup_target`. */
  readonly changes?: Readonly<Record<string, unknown>>;
}
