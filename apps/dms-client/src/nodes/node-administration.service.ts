import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { DmsError, type NodeDetailDto } from '@app/contracts';
import { currentRequest } from '@app/platform';
import { type NewOperation, type OperationEnd } from '../ledger/operation-statements';
import { type TargetKey } from '../ledger/target-key';
import { TargetLedger } from '../ledger/target-ledger';
import { NodeFactsRepository } from './node-facts.repository';
import { NodePinsRepository } from './node-pins.repository';
import { NodeViewsService } from './node-views.service';
import { NodesRepository } from './nodes.repository';
import { NodesService } from './nodes.service';

/** What operators decide about nodes. */
@Injectable()
export class NodeAdministrationService {
  readonly #log = new Logger(NodeAdministrationService.name);

  constructor(
    private readonly nodes: NodesRepository,
    private readonly facts: NodeFactsRepository,
    private readonly shown: NodesService,
    private readonly views: NodeViewsService,
    private readonly ledger: TargetLedger,
    private readonly pins: NodePinsRepository,
  ) {}

  /**
   * Lets no new holds onto the node, or lets them again; what is held stays.
   *
   * @throws DmsError NOT_FOUND, LEDGER_UNAVAILABLE
   */
  async drain(host: string, draining: boolean): Promise<NodeDetailDto> {
    await this.#known(host);
    await this.nodes.setState(host, draining ? 'draining' : 'up');
    return this.shown.get(host);
  }

  /**
   * Gives up a node that is gone for good: what was held there is lost, and nothing counts as mounted any more.
   *
   * @param fenced the operator's word that the node cannot run any more, so that nothing can still write to a target
   * @throws DmsError VALIDATION_FAILED without that word; CONFLICT for a node that is heard; NOT_FOUND
   */
  async forget(host: string, fenced: boolean): Promise<NodeDetailDto> {
    if (!fenced) {
      const problem =
        'must be true: make sure first that the node is off, and cannot come back with its mounts';
      throw DmsError.validation([{ field: 'fenced', problem }]);
    }
    await this.#known(host);
    if (this.views.upHosts().has(host)) {
      throw new DmsError('CONFLICT', `Node "${host}" says hello still: stop its dms-server first`);
    }
    await this.nodes.setState(host, 'forgotten');
    let mounts = [...(await this.facts.mounts(host)).values()];
    while (mounts.length > 0) {
      for (const { targetId } of mounts) await this.#giveUp({ host, targetId });
      // Those that had no row have one now, and were told in part only.
      mounts = [...(await this.facts.mounts(host)).values()].filter(({ state }) => state === null);
    }
    return this.shown.get(host);
  }

  /**
   * Says which key is the node's: the only one that counts as long as the node's memory lasts.
   *
   * @param keyId null: the node has none, and gets its tokens in clear if that is allowed
   * @throws DmsError NOT_FOUND, LEDGER_UNAVAILABLE
   */
  async acceptKey(host: string, keyId: string | null): Promise<NodeDetailDto> {
    await this.#known(host);
    await this.pins.accept(host, keyId);
    this.#log.warn({ msg: 'An operator has said which key is the node’s', host, key_id: keyId });
    return this.shown.get(host);
  }

  /** A higher epoch: whoever still waits for the node's answer writes nothing with it. */
  async #giveUp(key: TargetKey): Promise<void> {
    await this.ledger.transaction(key, async (transaction) => {
      const jobids = await transaction.bindings.lose();
      await transaction.bindings.withdrawAll();
      const { state, epoch, mountPath } = transaction.row;
      // Each job can find out why it lost its mount; a mount that nobody held leaves a trace, too.
      const givenUp = jobids.length > 0 || state === 'ABSENT' ? jobids : [null];
      await transaction.operations.record(givenUp.map((jobid) => givingUp(key.host, jobid, mountPath)));
      if (state !== 'ABSENT')
        await transaction.change({ state: 'ABSENT', epoch: epoch + 1, mntId: null, device: null });
      if (jobids.length > 0)
        this.#log.warn({ msg: 'Jobs have lost their mount: its node was forgotten', ...key, jobids });
    });
  }

  async #known(host: string): Promise<void> {
    if ((await this.nodes.find(host)) === null)
      throw new DmsError('NOT_FOUND', `host: no node "${host}" is known`);
  }
}

/** The operation that says of one job, or of a mount without any (null), that it was given up. */
function givingUp(
  host: string,
  jobid: number | null,
  mountPath: string | null,
): { opening: NewOperation; end: OperationEnd } {
  const id = randomUUID();
  const requestId = currentRequest()?.requestId ?? null;
  const what = jobid === null ? 'A mount that nobody held' : "The job's hold";
  return {
    opening: {
      ...{ id, action: 'reconcile', jobid, projectId: null, requestId, mountPath },
      requestData: { action: 'forget', fenced: true },
    },
    end: {
      ...{ id, status: 'success', errorCode: null, errorMessage: null, mountPath, epoch: null },
      successMessage: `${what} was given up: an operator has said that node "${host}" is off for good`,
      responseData: null,
    },
  };
}
