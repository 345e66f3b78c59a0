/** Which run of which database server a session belongs to. */
export interface ServerRun {
  /** Tells servers apart; all members of a cluster that commits on each of them before it answers are one. */
  readonly server: string;
  /** Grows with each session of one run of a server; null: a cluster numbers its sessions on each member. */
  readonly session: number | null;
}

/**
 * Names of one row each. Galera: https://galeracluster.com/library/documentation/galera-status-variables.html; the identity
 * of the state is the same on all nodes of a cluster, and a new one after a bootstrap from other data.
 */
export const CLUSTER_OF_SERVER = "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_state_uuid'";
export const SERVER_OF_SESSION =
  "SELECT CONCAT_WS('/', @@server_id, @@hostname, @@port) AS server, CONNECTION_ID() AS session";

/** A session of a run, both by number. */
export interface LatestSession {
  readonly run: number;
  readonly session: number;
}

interface ClusterRow {
  readonly Value: string;
}

interface ServerRow {
  readonly server: string;
  readonly session: unknown;
}

/** @param ask runs a statement in the session, and resolves with its rows */
export async function serverRunOf(ask: (sql: string) => Promise<unknown>): Promise<ServerRun> {
  const [cluster] = (await ask(CLUSTER_OF_SERVER)) as (ClusterRow | undefined)[];
  if (cluster !== undefined && cluster.Value !== '') return { server: cluster.Value, session: null };
  const [{ server, session }] = (await ask(SERVER_OF_SESSION)) as ServerRow[];
  return { server, session: Number(session) };
}

/**
 * Notices that another server, or another run of the same one, answers at an address: it may lack the last commits. No clock
 * is asked, for that of a server may jump.
 */
export class ServerRuns {
  #server: string | null = null;
  #newest = -Infinity;
  /** Counts the runs that were told. */
  #run = 0;

  /** @param other is called before a session of another run is used; the first one known is not another */
  constructor(private readonly other: () => void) {}

  /** What was told until now: a session that is opened from now on in the same run has a higher number. */
  get latest(): LatestSession {
    return { run: this.#run, session: this.#newest };
  }

  /** @param before `latest` when this session began to be opened: several are opened at a time */
  opened({ server, session }: ServerRun, before: LatestSession): void {
    const known = this.#server;
    const restarted = before.run === this.#run && session !== null && session <= before.session;
    if (server !== known || restarted) this.#newest = -Infinity;
    this.#server = server;
    this.#newest = Math.max(this.#newest, session ?? -Infinity);
    if (known === null || (server === known && !restarted)) return;
    this.#run += 1;
    this.other();
  }
}
