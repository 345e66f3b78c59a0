import { Inject, Injectable } from '@nestjs/common';
import {
  DmsError,
  type Inventory,
  type InventoryDto,
  type NodeDetailDto,
  type NodeDto,
  type NodeListDto,
  type NodeState,
} from '@app/contracts';
import { isoTime } from '../queries/query-ledger';
import { allSilentWarning } from './all-silent';
import { CommandSigner } from './command-signer';
import { differencesOf, ofThisLedger } from './differences';
import { NodeFactsRepository, type NodeFacts } from './node-facts.repository';
import { NodeLooksService } from './node-looks.service';
import { problemOf } from './node-problem';
import { NodeViewsService } from './node-views.service';
import { isOther } from './other-ledger';

/** What this process has heard itself. */
interface Heard {
  readonly hosts: ReadonlySet<string>;
  /** Nodes that it has not heard are not up. */
  readonly all: boolean;
  /** When it heard a host last; null: never. */
  readonly last: (host: string) => Date | null;
}

/** Shows the nodes: what is known of them, and what they see. */
@Injectable()
export class NodesService {
  constructor(
    private readonly facts: NodeFactsRepository,
    private readonly views: NodeViewsService,
    private readonly looks: NodeLooksService,
    @Inject(CommandSigner) private readonly signer: Pick<CommandSigner, 'keyId'>,
  ) {}

  /** @throws DmsError LEDGER_UNAVAILABLE */
  async list(): Promise<NodeListDto> {
    const heard = this.#heard();
    const facts = await this.facts.nodes();
    const nodes = facts.map((known) => this.#nodeOf(known, heard, this.#servedBy(known)));
    return {
      nodes,
      warning: heard.hosts.size > 0 ? null : allSilentWarning(nodes.map(({ state }) => state)),
    };
  }

  /**
   * A node, what it sees now, and how that differs from the ledger. If it does not answer, what is known and why.
   *
   * @throws DmsError NOT_FOUND, LEDGER_UNAVAILABLE
   */
  async get(host: string): Promise<NodeDetailDto> {
    const [facts] = await this.facts.nodes(host);
    if (facts === undefined) throw new DmsError('NOT_FOUND', `host: no node "${host}" is known`);
    const before = await this.facts.mounts(host);
    try {
      const looked = await this.looks.inventory(host);
      const node = this.#nodeOf(facts, this.#heard(), looked.ledger ?? null);
      const differences = differencesOf(before, await this.facts.mounts(host), looked);
      return {
        ...node,
        inventory: inventoryOf(looked.seen),
        differences: node.other_ledger === null ? differences : ofThisLedger(differences),
        error_code: null,
        error_msg: null,
      };
    } catch (thrown) {
      const error = DmsError.from(thrown);
      if (error.code === 'INTERNAL' || error.code === 'LEDGER_UNAVAILABLE') throw thrown;
      const silent = { inventory: null, differences: null };
      return {
        ...this.#nodeOf(facts, this.#heard(), this.#servedBy(facts)),
        ...silent,
        error_code: error.code,
        error_msg: error.message,
      };
    }
  }

  #nodeOf(facts: NodeFacts, heard: Heard, served: string | null): NodeDto {
    const isLost = this.views.isLegacyQueueLost(facts.host) ?? Boolean(facts.legacy_queue_lost);
    const hello = this.views.heardProblem(facts.host);
    const problem = hello === undefined ? facts.problem : problemOf(hello, this.signer.keyId);
    return { ...nodeOf(facts, heard, served), legacy_queue_lost: isLost, problem };
  }

  #servedBy({ host, served_ledger }: NodeFacts): string | null {
    const heard = this.views.heardLedger(host);
    return heard === undefined ? served_ledger : heard;
  }

  #heard(): Heard {
    const last = (host: string): Date | null => this.views.lastHeard(host);
    return { hosts: this.views.upHosts(), all: this.views.hasListened, last };
  }
}

/** @param served the ledger of which the node has something mounted */
function nodeOf(
  facts: NodeFacts,
  heard: Heard,
  served: string | null,
): Omit<NodeDto, 'legacy_queue_lost' | 'problem'> {
  return {
    host: facts.host,
    state: stateOf(facts, heard),
    incarnation: facts.incarnation,
    boot_id: facts.boot_id,
    protocol: facts.protocol,
    version: facts.version,
    bases: facts.bases === null ? [] : (JSON.parse(facts.bases) as string[]),
    last_seen: isoTime(later(facts.last_seen, heard.last(facts.host))),
    key_id: facts.key_id,
    refused_key_id: facts.refused_key_id,
    signs_replies: Boolean(facts.signs_replies),
    other_ledger: isOther(served, facts.ledger) ? served : null,
  };
}

/** A process that has not listened for long, such as a command that has just begun, goes by the ledger. */
function stateOf(facts: NodeFacts, heard: Heard): NodeState {
  if (facts.state !== 'up' && facts.state !== 'silent') return facts.state;
  // `silent` in the ledger: it has said that it stops.
  const byLedger = !heard.all && facts.state === 'up' && Boolean(facts.fresh);
  return heard.hosts.has(facts.host) || byLedger ? 'up' : 'silent';
}

/** The ledger is written less often than hellos come. */
function later(written: Date | null, heard: Date | null): Date | null {
  if (heard === null) return written;
  return written !== null && written > heard ? written : heard;
}

function inventoryOf({ mounts, foreign, processes }: Inventory): InventoryDto {
  return {
    mounts: mounts.map((mount) => ({ ...mount, users: [...mount.users] })),
    foreign: [...foreign],
    processes: [...processes],
  };
}
