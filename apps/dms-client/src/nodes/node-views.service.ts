import { EventEmitter } from 'node:events';
import { Injectable, Logger } from '@nestjs/common';
import { type Hello, HELLO_INTERVAL_MS, HELLO_TIMEOUT_MS, type NodeEvent } from '@app/contracts';
import { RecentMap } from '@app/platform';
import { allSilentWarning } from './all-silent';
import { NodesRepository } from './nodes.repository';

/** What this process knows of a node. */
export interface NodeView {
  /**
   * A hello of this incarnation was heard within six seconds, the connection that brought it stands, and the ledger was
   * compared with the node since it may have lost commits: what the ledger says of its mounts may be believed. It is found
   * out when it is read: a transaction may have opened a connection to another server since the view was made.
   */
  readonly up: boolean;
  /** It is up, and its next hello is not overdue. */
  readonly punctual: boolean;
  /** The last incarnation known; null where none is. */
  readonly incarnation: string | null;
  /** A Python server: commands carry no fence. */
  readonly legacy: boolean;
  /** Directories below which the node mounts; empty where it has not said. */
  readonly bases: readonly string[];
  /** The ledger of which it has something mounted, heard within six seconds; null: none, or it has not said. */
  readonly ledger: string | null;
}

/**
 * Nodes that are heard. While so many speak no other one is heard, so that hellos in invented names take no node's place;
 * one that is silent makes room.
 */
const MAX_NODES = 10_000;
/** `nodes` is written when something changed, and else this often. */
const WRITE_INTERVAL_MS = 30_000;
/** A hello may come so much later than it should. */
const UNPUNCTUAL_MS = 1_000;

interface Heard {
  readonly hello: Hello;
  readonly at: number;
  /** When it came, before it was judged. */
  readonly arrivedAt: number;
}

/** Gathers what hellos, replies and the ledger tell of the nodes. */
@Injectable()
export class NodeViewsService {
  readonly #log = new Logger(NodeViewsService.name);
  /** The one that was heard longest ago comes first. */
  readonly #heard = new Map<string, Heard>();
  readonly #written = new RecentMap<string, { text: string; at: number }>(MAX_NODES);
  readonly #learned = new RecentMap<string, { incarnation: string | null; legacy: boolean }>(MAX_NODES);

  readonly #changes = new EventEmitter();
  readonly #since = performance.now();
  /** When the connection to the broker was lost last. */
  #deafSince = -Infinity;
  /** When the ledger may have lost commits. */
  #ledgerDoubtedAt = -Infinity;
  /** When the comparison of each node with the ledger began, of which all was settled. */
  readonly #comparedAt = new RecentMap<string, number>(MAX_NODES);

  constructor(private readonly nodes: NodesRepository) {}

  /** Calls `listener` with the host when a hello says that a node is new, has another memory or other mounts. */
  onChange(listener: (host: string) => void): void {
    this.#changes.on('change', listener);
  }

  /** Calls `listener` with what each hello says of mounts that vanished or broke. */
  onTroubled(listener: (events: readonly NodeEvent[]) => void): void {
    this.#changes.on('troubled', listener);
  }

  hasHeard(host: string): boolean {
    return this.#heard.has(host);
  }

  /** Whether nodes that were not heard yet can be; a node that is silent is forgotten for them. */
  hasRoomFor(newNodes: number): boolean {
    for (const [host, { at }] of this.#heard) {
      if (this.#heard.size + newNodes <= MAX_NODES) return true;
      if (performance.now() - at < HELLO_TIMEOUT_MS) return false;
      this.#heard.delete(host);
    }
    return newNodes <= MAX_NODES;
  }

  /** @throws DmsError LEDGER_UNAVAILABLE where nothing was heard of the node and the ledger cannot be asked */
  async view(host: string): Promise<NodeView> {
    const heard = this.#heard.get(host);
    const silentMs = heard === undefined ? Infinity : performance.now() - heard.at;
    if (heard !== undefined && silentMs < HELLO_TIMEOUT_MS && !this.#isOutdated(heard.at)) {
      const { incarnation, bases, ledger = null } = heard.hello;
      const punctual = silentMs < HELLO_INTERVAL_MS + UNPUNCTUAL_MS;
      const isUp = (): boolean => !this.#isOutdated(heard.at) && this.#isCompared(host);
      return {
        get up() {
          return isUp();
        },
        ...{ punctual, incarnation, legacy: false, bases, ledger },
      };
    }
    const learned = this.#learned.get(host);
    const stored = await this.nodes.find(host);
    return {
      up: false,
      punctual: false,
      incarnation: learned?.incarnation ?? stored?.incarnation ?? null,
      legacy: learned?.legacy ?? stored?.state === 'legacy',
      bases: stored?.bases ? (JSON.parse(stored.bases) as string[]) : [],
      ledger: null,
    };
  }

  /** Whether a server was ever heard of on this host, or has answered. @throws DmsError LEDGER_UNAVAILABLE */
  async isKnown(host: string): Promise<boolean> {
    return this.#heard.has(host) || this.#learned.has(host) || (await this.nodes.find(host)) !== null;
  }

  /** Hosts that were heard within six seconds: also while the broker is away, for nobody is gone because of that. */
  upHosts(): Set<string> {
    const now = performance.now();
    return new Set(
      [...this.#heard].filter(([, { at }]) => now - at < HELLO_TIMEOUT_MS).map(([host]) => host),
    );
  }

  /**
   * What to do first if this process hears no node at all, of several that are known. Null also where it has not listened
   * for long enough, or the ledger cannot be asked.
   */
  async silenceWarning(): Promise<string | null> {
    if (!this.hasListened || this.upHosts().size > 0) return null;
    const states = await this.nodes.states().catch(() => []);
    return allSilentWarning(states.map((state) => (state === 'up' ? 'silent' : state)));
  }

  /** When this process has heard the node last, by its own clock; null: it has not, or the node has said that it stops. */
  lastHeard(host: string): Date | null {
    const heard = this.#heard.get(host);
    return heard === undefined ? null : new Date(Date.now() - (performance.now() - heard.at));
  }

  /** The ledger of which the node has something mounted, by a hello of the last six seconds; undefined: none was heard. */
  heardLedger(host: string): string | null | undefined {
    const heard = this.#heard.get(host);
    if (heard === undefined || performance.now() - heard.at >= HELLO_TIMEOUT_MS) return undefined;
    return heard.hello.ledger ?? null;
  }

  /** The node's own queue by its newest hello, however old that is; null: it has named none, so `dms.<node>` is its queue. */
  commandQueue(host: string): string | null {
    return this.#heard.get(host)?.hello.command_queue ?? null;
  }

  /** Milliseconds since the newest hello; Infinity: none was heard, or the node has said that it stops. */
  silentMs(host: string): number {
    const heard = this.#heard.get(host);
    return heard === undefined ? Infinity : performance.now() - heard.at;
  }

  /** What the node's own clock (`clock_ms`) shows now, or a little less; null: it has not told. */
  nodeClockMs(host: string): number | null {
    const heard = this.#heard.get(host);
    const clock = heard?.hello.clock_ms;
    if (heard === undefined || clock === undefined) return null;
    return Math.max(0, Math.floor(clock + performance.now() - heard.arrivedAt));
  }

  /** Whether legacy callers do not reach the node, by a hello of the last six seconds; undefined: none was heard. */
  isLegacyQueueLost(host: string): boolean | undefined {
    const heard = this.#heard.get(host);
    if (heard === undefined || performance.now() - heard.at >= HELLO_TIMEOUT_MS) return undefined;
    return heard.hello.legacy_queue_lost === true;
  }

  /** What keeps the node from carrying out commands, and the keys of the clients that it obeys; undefined: as above. */
  heardProblem(host: string): Pick<Hello, 'problem' | 'trusted_clients'> | undefined {
    const heard = this.#heard.get(host);
    if (heard === undefined || performance.now() - heard.at >= HELLO_TIMEOUT_MS) return undefined;
    return heard.hello;
  }

  /** This process has listened for long enough to have heard every node that is up. */
  get hasListened(): boolean {
    return performance.now() - this.#since >= HELLO_TIMEOUT_MS;
  }

  /**
   * The connection to the broker was lost, and with it whatever nodes say meanwhile: what was heard before says no more
   * that a node is up and what is mounted there, until it says hello anew. Requests ask the node instead.
   */
  lost(): void {
    this.#deafSince = performance.now();
  }

  /**
   * The ledger may have lost its last commits: what it says of mounts is not believed by hello until the node was compared
   * with it. Requests ask the node instead.
   */
  doubtLedger(): void {
    this.#ledgerDoubtedAt = performance.now();
  }

  /** @param beganAt when a comparison began after which ledger and node agree, by performance.now() */
  compared(host: string, beganAt: number): void {
    this.#comparedAt.set(host, beganAt);
  }

  /**
   * The node's last hello came: it is not up from now on. Nothing follows from that for its mounts, nor for what was
   * commanded: it is as if no hello had been heard for long.
   */
  async bidFarewell({ node }: Hello): Promise<void> {
    this.#heard.delete(node);
    this.#written.delete(node);
    await this.nodes.silent(node);
  }

  /**
   * A hello came; what is new in it is written to the ledger. The first one after a loss of the connection counts as new:
   * what the node had to tell meanwhile was not heard.
   *
   * @param arrivedAt when it came, by performance.now(); one of a connection that was lost since is passed over
   */
  async hear(hello: Hello, arrivedAt = performance.now()): Promise<void> {
    if (this.#isOutdated(arrivedAt)) return;
    const heard = this.#heard.get(hello.node);
    const before = heard === undefined || this.#isOutdated(heard.at) ? null : heard.hello;
    this.#heard.delete(hello.node);
    this.#heard.set(hello.node, { hello, at: performance.now(), arrivedAt });
    const same =
      before?.incarnation === hello.incarnation && before.mount_table_version === hello.mount_table_version;
    if (!same) this.#changes.emit('change', hello.node);
    const { node, incarnation, troubled_mounts: troubled = [] } = hello;
    if (troubled.length > 0)
      this.#changes.emit(
        'troubled',
        troubled.map((mount): NodeEvent => ({ ...mount, node, incarnation })),
      );
    this.#learned.delete(hello.node);
    // What comes and goes with each mount is not written every time.
    const text = JSON.stringify({
      ...hello,
      mount_table_version: 0,
      ledger: null,
      clock_ms: 0,
      troubled_mounts: null,
    });
    const written = this.#written.get(hello.node);
    if (written?.text === text && performance.now() - written.at < WRITE_INTERVAL_MS) return;
    this.#written.set(hello.node, { text, at: performance.now() });
    try {
      await this.nodes.heard(hello);
    } catch (error) {
      this.#written.delete(hello.node);
      this.#log.warn({ msg: 'A hello could not be written to the ledger', host: hello.node, err: error });
    }
  }

  /** A reply told the node's incarnation. A hello that differs was older: hellos come late and have no order. */
  learnIncarnation(host: string, incarnation: string): void {
    if (this.#heard.get(host)?.hello.incarnation !== incarnation) this.#heard.delete(host);
    this.#learned.set(host, { incarnation, legacy: false });
  }

  /** A Python server answered. */
  async learnLegacy(host: string): Promise<void> {
    this.#heard.delete(host);
    this.#learned.set(host, { incarnation: null, legacy: true });
    await this.nodes.legacy(host);
  }

  #isCompared(host: string): boolean {
    return (this.#comparedAt.get(host) ?? -Infinity) >= this.#ledgerDoubtedAt;
  }

  #isOutdated(at: number): boolean {
    return at <= this.#deafSince;
  }
}
