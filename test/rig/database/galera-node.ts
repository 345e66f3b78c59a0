import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RowDataPacket } from 'mysql2/promise';
import { type Child } from '../support/child';
import { runCommand } from '../support/command';
import { cleanEnvironment } from '../support/environment';
import { freePort } from '../support/ports';
import { waitFor } from '../support/wait';
import { MARIADBD, MariaDb, type MariaDbOptions } from './mariadb';

const PROVIDER = '/usr/lib/galera/libgalera_smm.so';
const RECOVERY_TIMEOUT_MS = 60_000;
const CHANGE_TIMEOUT_MS = 60_000;

/** Ports of a node that only the other nodes use. */
interface ClusterPorts {
  readonly group: number;
  readonly incremental: number;
  readonly transfer: number;
}

/** How far the data of a node that does not run have come. */
export interface Position {
  /** The history that the data belong to. */
  readonly history: string;
  readonly seqno: number;
}

/** The settings of a Galera node. */
export interface GaleraNodeOptions extends MariaDbOptions {
  readonly name: string;
  /** Address of the cluster: all nodes by their group ports, such as `127.0.0.1:1234,127.0.0.1:1235`. */
  readonly addresses: () => string;
}

/**
 * A MariaDB server of a Galera cluster.
 *
 * A node that was killed finds out its position as Debian's service unit does, so that it gets only what it has missed.
 */
export class GaleraNode extends MariaDb {
  #cluster: ClusterPorts | undefined;
  /** How the next start begins a cluster instead of joining one; `first`: with the account, too. */
  #bootstraps: 'no' | 'yes' | 'first' = 'no';

  constructor(private readonly galera: GaleraNodeOptions) {
    super(galera, `MariaDB ${galera.name}`);
  }

  /** Where the other nodes find it. */
  get groupAddress(): string {
    return `127.0.0.1:${this.clusterPorts.group}`;
  }

  get dataDirectory(): string {
    return this.data;
  }

  /** Makes the data of a new cluster. */
  async makeData(): Promise<void> {
    this.#bootstraps = 'first';
    await this.start();
    await this.stop();
  }

  /** Makes the next start begin a cluster with the data of this node. */
  async prepareBootstrap(position: Position): Promise<void> {
    this.#bootstraps = 'yes';
    await this.writeState(position, true);
  }

  /** Writes what a node that was stopped in an orderly way leaves, and forgets the cluster that it was in. */
  async writeState({ history, seqno }: Position, safeToBootstrap = false): Promise<void> {
    const state = [
      '# GALERA saved state',
      'version: 2.1',
      `uuid:    ${history}`,
      `seqno:   ${seqno}`,
      `safe_to_bootstrap: ${safeToBootstrap ? 1 : 0}`,
      '',
    ];
    await writeFile(join(this.data, 'grastate.dat'), state.join('\n'));
    await rm(join(this.data, 'gvwstate.dat'), { force: true });
  }

  /** The position of a node that does not run; null where its data are of no use and have to be transferred. */
  async position(): Promise<Position | null> {
    const saved = await this.#savedPosition();
    return saved !== null && saved.seqno >= 0 ? saved : await this.#recoveredPosition();
  }

  /** A value of SHOW GLOBAL STATUS. */
  async status(name: string): Promise<string | undefined> {
    const rows = await this.query<RowDataPacket[]>('SHOW GLOBAL STATUS LIKE ?', [name], null);
    return rows[0]?.Value as string | undefined;
  }

  /** Cuts it off from the other nodes; its clients still reach it. Resolves when it has noticed. */
  async isolate(): Promise<void> {
    await this.#setProviderOption('gmcast.isolate=1');
    await waitFor(async () => (await this.#ask('wsrep_cluster_status')) === 'non-Primary', {
      timeoutMs: CHANGE_TIMEOUT_MS,
      what: `${this.title} to notice that it is cut off`,
      intervalMs: 100,
    });
  }

  /** Ends `isolate`. The node gets what it missed when it has found the others. */
  async rejoin(): Promise<void> {
    await this.#setProviderOption('gmcast.isolate=0');
  }

  /** Whether it is in step with a cluster of this many nodes. */
  async isPartOf(nodes: number): Promise<boolean> {
    return (
      (await this.#ask('wsrep_ready')) === 'ON' &&
      (await this.#ask('wsrep_local_state_comment')) === 'Synced' &&
      (await this.#ask('wsrep_cluster_size')) === String(nodes)
    );
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    const ports = await super.choosePorts();
    const [group, incremental, transfer] = [await freePort(), await freePort(), await freePort()];
    this.#cluster = { group, incremental, transfer };
    return [...ports, group, incremental, transfer];
  }

  protected override baseArguments(): string[] {
    const { group, incremental, transfer } = this.clusterPorts;
    const provider = [
      `gmcast.listen_addr=tcp://127.0.0.1:${group}`,
      `ist.recv_addr=127.0.0.1:${incremental}`,
      'gcache.size=64M',
    ];
    return [
      ...super.baseArguments(),
      '--innodb-autoinc-lock-mode=2',
      '--binlog-format=ROW',
      '--wsrep-on=ON',
      `--wsrep-provider=${PROVIDER}`,
      `--wsrep-provider-options=${provider.join(';')}`,
      '--wsrep-cluster-name=dms',
      `--wsrep-cluster-address=gcomm://${this.galera.addresses()}`,
      `--wsrep-node-name=${this.galera.name}`,
      `--wsrep-node-address=127.0.0.1:${group}`,
      `--wsrep-sst-receive-address=127.0.0.1:${transfer}`,
      '--wsrep-sst-method=mariabackup',
      // Over the socket, as the account that the initial data have.
      '--wsrep-sst-auth=root:',
      '--wsrep-slave-threads=2',
    ];
  }

  protected override async launchArguments(): Promise<string[]> {
    if (this.#bootstraps === 'first') return [...(await super.launchArguments()), '--wsrep-new-cluster'];
    const position = await this.position();
    const known = position === null ? [] : [`--wsrep-start-position=${position.history}:${position.seqno}`];
    return [...known, ...(this.#bootstraps === 'yes' ? ['--wsrep-new-cluster'] : [])];
  }

  protected override async launch(): Promise<Child> {
    const child = await super.launch();
    this.#bootstraps = 'no';
    return child;
  }

  protected override async isReady(): Promise<boolean> {
    if (!(await super.isReady())) return false;
    const [ready, state] = [await this.#ask('wsrep_ready'), await this.#ask('wsrep_local_state_comment')];
    return ready === 'ON' && state === 'Synced';
  }

  private get clusterPorts(): ClusterPorts {
    if (this.#cluster === undefined) throw new Error(`${this.title} has no ports yet`);
    return this.#cluster;
  }

  async #setProviderOption(option: string): Promise<void> {
    await this.query(`SET GLOBAL wsrep_provider_options = '${option}'`, [], null);
  }

  /** Undefined while the node answers nothing, as when it receives the whole data. */
  async #ask(name: string): Promise<string | undefined> {
    try {
      return await this.status(name);
    } catch {
      return undefined;
    }
  }

  async #savedPosition(): Promise<Position | null> {
    try {
      const state = await readFile(join(this.data, 'grastate.dat'), 'utf8');
      const [, history = ''] = /^uuid:\s+(\S+)$/m.exec(state) ?? [];
      const [, seqno = '-1'] = /^seqno:\s+(-?\d+)$/m.exec(state) ?? [];
      return history === '' ? null : { history, seqno: Number(seqno) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  async #recoveredPosition(): Promise<Position | null> {
    const { stderr, stdout } = await runCommand(MARIADBD, [...this.baseArguments(), '--wsrep-recover'], {
      directory: this.directory,
      environment: cleanEnvironment({ HOME: this.directory }),
      timeoutMs: RECOVERY_TIMEOUT_MS,
    });
    const found = /Recovered position: ([0-9a-f-]{36}):(-?\d+)/.exec(stdout + stderr);
    if (found === null) throw new Error(`${this.title} did not tell its position:\n${stderr}`);
    return Number(found[2]) < 0 ? null : { history: found[1], seqno: Number(found[2]) };
  }
}
