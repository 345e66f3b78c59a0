import { HELLO_INTERVAL_MS, parseTargetRequest, type TargetAction } from '@app/contracts';
import { type NodesRepository } from '../../apps/dms-client/src/nodes/nodes.repository';
import { FenceService } from '../../apps/dms-server/src/fence/fence.service';
import { ClientProcess } from '../histories/client-process';
import { type Defects } from '../histories/defects';
import { FakeDatabase } from '../histories/fake-ledger';
import { FakeNode, HOST, TARGET } from '../histories/fake-node';
import { Network, type NetworkFault } from '../histories/network';
import { VirtualTime } from '../histories/virtual-time';
import { Gates, withMethods } from './gates';

const LOOKS = new Set(['probe', 'inventory']);
export const NODE = 'the node';

/** A request of a job, in the order in which they were asked. */
export interface Request {
  readonly action: TargetAction;
  readonly jobid: number;
  /** `none`, `success`, or the error. */
  answer: string;
}

/**
 * The real services of some dms-clients over fakes of ledger, network and node, each of which can be stopped at named
 * points: before and after every commit, every command that is sent, every change of the mount table, and every answer.
 */
export class Stage {
  readonly time = new VirtualTime();
  readonly gates = new Gates();
  readonly database = new FakeDatabase(this.time);
  readonly node = new FakeNode(this.time, (memory) => new FenceService(memory));
  readonly requests: Request[] = [];
  /** What happened, in words. */
  readonly words: string[] = [];
  readonly wrongs: string[] = [];
  /** Leases may have run out beneath living holders. */
  disturbed = false;
  readonly #network: Network;
  readonly #processes = new Map<string, ClientProcess>();

  constructor(
    names: readonly string[],
    /** Wrongs to be built in, which the checks must find. */
    private readonly defects: Defects = {},
  ) {
    this.time.install();
    this.#network = new Network(
      this.time,
      withMethods(this.node, { receive: (body) => this.#nodeReceives(body) }),
    );
    this.#network.leasesDisturbed = () => this.disturbed;
    this.#network.onViolation = this.node.onViolation = (text) => this.wrongs.push(text);
    this.node.atPoint = (point) => this.gates.stand(NODE, point);
    this.node.onTaken = () => {
      const { held } = this.database.count();
      if (held > 0) this.wrongs.push('I1: a mount is taken away that somebody holds');
    };
    this.node.onMade = (operationId) => {
      if (this.database.stored.operations.get(operationId)?.status === 'error')
        this.wrongs.push('I3: a mount is made whose operation was ended as failed before');
    };
    for (const name of names) this.start(name);
  }

  /** Ends everything; nothing can be asked any more. */
  close(): void {
    for (const process of this.#processes.values()) process.kill();
    this.time.uninstall();
  }

  /** What happens to the next commands. */
  get networkFaults(): NetworkFault[] {
    return this.#network.faults;
  }

  /**
   * Starts a dms-client; one that has the name already is killed.
   *
   * @param writer the node of the database cluster that it is connected to
   */
  start(name: string, writer = 0): void {
    this.#processes.get(name)?.kill();
    this.#processes.set(name, this.#process(name, writer));
  }

  process(name: string): ClientProcess {
    const process = this.#processes.get(name);
    if (process === undefined) throw new Error(`There is no process ${name}`);
    return process;
  }

  /** @param caller is aborted when the job hangs up */
  async ask(action: TargetAction, jobid: number, name: string, caller?: AbortSignal): Promise<Request> {
    const request: Request = { action, jobid, answer: 'none' };
    this.requests.push(request);
    const process = this.process(name);
    const body = {
      job: { jobid },
      host: HOST,
      backup_target: { id: TARGET, type: 'nfs', filesystem_export: 'server:/export' },
    };
    let answer = 'success';
    try {
      await process.mounts[action](parseTargetRequest(body, action), { caller });
    } catch (error) {
      answer = String(error);
    }
    // A process that is gone says nothing.
    if (!process.lives) return request;
    request.answer = answer;
    this.words.push(`${action} of job ${jobid} is answered: ${answer}`);
    return request;
  }

  /** Lets `ms` pass, with hellos of the node. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= HELLO_INTERVAL_MS) {
      await this.hello();
      await this.time.pass(Math.min(left, HELLO_INTERVAL_MS));
    }
  }

  async hello(): Promise<void> {
    if (!this.node.up) return;
    // Always the same table version: a change would only have the inventories compared, which is not chosen here.
    const hello = { ...this.node.hello(), mount_table_version: 0 };
    for (const process of this.#processes.values()) await process.views.hear(hello);
  }

  #process(name: string, writer: number): ClientProcess {
    const side = `process ${name}`;
    let waits = false;
    const stand = async (point: string): Promise<void> => {
      await this.gates.stand(side, point);
      // What a process that is gone was about to do is not done.
      if (!process.lives) await new Promise<never>(() => undefined);
    };
    const database = withMethods(this.database, {
      transaction: async (key, work, session) => {
        // Who waits for a lease looks for it again and again: that is left to its own time.
        if (!waits) await stand('before a transaction');
        const result = await this.database.transaction(key, work, session, () =>
          waits ? Promise.resolve() : this.gates.stand(side, 'before a commit'),
        );
        waits = (result as { kind?: string } | undefined)?.kind === 'locked';
        if (!waits) await stand('after a commit');
        return result;
      },
      // A process that is stopped renews nothing.
      renew: async (token, session) => {
        if (!this.gates.isStopped(side)) await this.database.renew(token, session);
      },
      isHeld: async (jobid) => {
        const held = await this.database.isHeld(jobid);
        await stand('before it answers');
        return held;
      },
    });
    const network = withMethods(this.#network, {
      send: async (sender, body, deadlineMs) => {
        const action = String(body.action);
        if (LOOKS.has(action)) return this.#network.send(sender, body, deadlineMs);
        await stand(`before it sends the ${action}`);
        const outcome = await this.#network.send(sender, body, deadlineMs);
        await stand(`after the answer to the ${action}: ${outcome.kind}`);
        return outcome;
      },
    });
    const process = new ClientProcess(
      database,
      network,
      new StoredNodes() as unknown as NodesRepository,
      this.defects,
      writer,
    );
    return process;
  }

  async #nodeReceives(body: Record<string, unknown>): Promise<Record<string, unknown> | null> {
    const action = String(body.action);
    if (LOOKS.has(action)) return this.node.receive(body);
    const side = `${NODE} with the ${action} of epoch ${(body.dms as { epoch: number }).epoch}`;
    await this.gates.stand(side, 'before it is received');
    const reply = await this.node.receive(body);
    await this.gates.stand(side, 'before the reply');
    return reply;
  }
}

/** What the ledger keeps of nodes is not asked for while their hellos are heard. */
class StoredNodes {
  find(): Promise<null> {
    return Promise.resolve(null);
  }

  heard(): Promise<void> {
    return Promise.resolve();
  }
}
