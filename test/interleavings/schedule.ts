import { parseTargetRequest, type TargetAction } from '@app/contracts';
import { FenceService } from '../../apps/dms-server/src/fence/fence.service';
import { type NodesRepository } from '../../apps/dms-client/src/nodes/nodes.repository';
import { ClientProcess, type Defects, LEASE_MS } from '../histories/client-process';
import { FakeDatabase } from '../histories/fake-ledger';
import { FakeNode, HOST, TARGET } from '../histories/fake-node';
import { Network } from '../histories/network';
import { VirtualTime } from '../histories/virtual-time';
import { type Choices } from './choices';
import { Gates, type Standing, withMethods } from './gates';

/** Two requests that meet. */
export interface Meeting {
  readonly actions: readonly [TargetAction, TargetAction];
  readonly sameJob: boolean;
  readonly sameProcess: boolean;
}

/**
 * How often a schedule leaves a side that could go on, or lets the leases run out. Where a side waits for another, all
 * others are tried in any case. With one, there are some 2800 schedules; with two, far more than a test has time for.
 */
const INTERRUPTIONS = 1;
const STEP_MS = 10;
const LONGEST_MS = 120_000;
const AFTERWARDS_MS = 60_000;
const LOOKS = new Set(['probe', 'inventory']);

interface Request {
  readonly action: TargetAction;
  readonly jobid: number;
  /** `none`, `success`, or the error. */
  answer: string;
}

/** One schedule of a meeting: who goes on is chosen at every point; the invariants are looked at after every step. */
export class Schedule {
  readonly #time = new VirtualTime();
  readonly #gates = new Gates();
  readonly #database = new FakeDatabase(this.#time);
  readonly #node = new FakeNode(
    withMethods(this.#time, { sleep: (ms) => this.#nodeWorks(ms) }),
    (memory) => new FenceService(memory),
  );
  readonly #network: Network;
  readonly #processes: ClientProcess[];
  readonly #requests: Request[] = [];
  readonly #words: string[] = [];
  readonly #wrongs: string[] = [];
  #interruptions = 0;
  #paused = false;
  #last: string | null = null;

  constructor(
    private readonly meeting: Meeting,
    private readonly choices: Choices,
    /** Wrongs to be built in, which the checks must find. */
    private readonly defects: Defects = {},
  ) {
    this.#time.install();
    const node = withMethods(this.#node, { receive: (body) => this.#nodeReceives(body) });
    this.#network = new Network(this.#time, node);
    this.#network.leasesDisturbed = () => this.#paused;
    this.#network.onViolation = (text) => this.#wrongs.push(text);
    this.#node.onViolation = (text) => this.#wrongs.push(text);
    this.#node.onTaken = () => {
      if (this.#database.count().held > 0) this.#wrongs.push('I1: a mount is taken away that somebody holds');
    };
    this.#processes = (meeting.sameProcess ? ['A'] : ['A', 'B']).map((name) => this.#process(name));
  }

  /** Null where all went well; else the schedule in words, and what is wrong. */
  async run(): Promise<string | null> {
    try {
      await this.#hello();
      await this.#prepare();
      this.#gates.open = false;
      await this.#meet();
      this.#gates.openAll();
      for (let passed = 0; passed < AFTERWARDS_MS; passed += 5_000) {
        await this.#hello();
        await this.#time.pass(5_000);
      }
      this.#checkEnd();
    } finally {
      for (const process of this.#processes) process.kill();
      this.#time.uninstall();
    }
    if (this.#wrongs.length === 0) return null;
    return [...this.#words, ...this.#wrongs.map((wrong) => `WRONG: ${wrong}`)].join('\n');
  }

  /** What the requests need to be there: the holds that are to be unmounted. */
  async #prepare(): Promise<void> {
    const { actions } = this.meeting;
    for (const [index, action] of actions.entries()) {
      if (action === 'unmount') void this.#ask('mount', this.#jobOf(index), 0, []);
    }
    await this.#time.pass(3_000);
    if (actions.includes('unmount') && this.#node.mount === null)
      throw new Error('Nothing is held to begin with');
  }

  async #meet(): Promise<void> {
    for (const [index, action] of this.meeting.actions.entries()) {
      void this.#ask(action, this.#jobOf(index), index % this.#processes.length, this.#requests);
    }
    const end = this.#time.now + LONGEST_MS;
    while (this.#requests.some(({ answer }) => answer === 'none')) {
      await this.#time.pass(STEP_MS);
      this.#check();
      if (this.#gates.standing.length > 0) await this.#choose();
      if (this.#time.now > end) {
        this.#wrongs.push('I3: a request is not answered');
        return;
      }
    }
    this.#check();
  }

  /** Lets one of those that stand go on; leaving the side that went on last, where it could, is an interruption. */
  async #choose(): Promise<void> {
    const { standing } = this.#gates;
    const same = standing.find(({ side }) => side === this.#last);
    const others = standing.filter((other) => other !== same);
    const mayInterrupt = this.#interruptions < INTERRUPTIONS;
    const ways: (Standing | 'pause')[] = [
      ...(same === undefined ? [] : [same]),
      ...(same === undefined || mayInterrupt ? others : []),
      ...(mayInterrupt && !this.#paused ? (['pause'] as const) : []),
    ];
    const way = ways[this.choices.choose(ways.length)];
    if (way === 'pause') {
      this.#interruptions += 1;
      this.#paused = true;
      this.#words.push(`all that stand stay so for ${LEASE_MS / 1000} s and more: ${this.#whoStands()}`);
      await this.#time.pass(LEASE_MS + 1_000);
      await this.#hello();
      return;
    }
    if (same !== undefined && way !== same) this.#interruptions += 1;
    this.#last = way.side;
    this.#words.push(`${way.side} goes on ${way.point}`);
    this.#gates.letGo(way);
  }

  #whoStands(): string {
    return this.#gates.standing.map(({ side, point }) => `${side} ${point}`).join(', ');
  }

  /** I1: who was told success, and has not asked for the unmount, has the mount. */
  #check(): void {
    const { mount } = this.#node;
    for (const { action, jobid, answer } of this.#requests) {
      const asked = this.#requests.some((other) => other.action === 'unmount' && other.jobid === jobid);
      if (action === 'mount' && answer === 'success' && !asked && (mount === null || mount.broken)) {
        this.#wrongs.push(`I1: job ${jobid} was told success, and nothing is mounted`);
      }
    }
  }

  #checkEnd(): void {
    this.#check();
    const { claimed, held } = this.#database.count();
    const { state } = this.#database.stored.row;
    const stands = this.#node.mount !== null;
    if (held + claimed === 0 && stands) this.#wrongs.push('I2: nobody holds the mount, and it stands');
    if (held > 0 && !stands) this.#wrongs.push('I1: it is held, and nothing is mounted');
    if (state !== (stands ? 'MOUNTED' : 'ABSENT')) this.#wrongs.push(`The row is ${state} in the end`);
    for (const { action, status } of this.#database.stored.operations.values()) {
      if (status === 'executing') this.#wrongs.push(`I3: the operation of a ${action} never ends`);
    }
    for (const { action, jobid, answer } of this.#requests) {
      const last = this.#database.stored.bindings.get(jobid)?.state;
      const others = this.#requests.filter((other) => other.jobid === jobid).length > 1;
      if (action === 'unmount' && answer === 'success' && !others && last !== 'released') {
        this.#wrongs.push(`The unmount of job ${jobid} was answered, and its binding is ${last}`);
      }
    }
  }

  async #ask(action: TargetAction, jobid: number, process: number, list: Request[]): Promise<void> {
    const request: Request = { action, jobid, answer: 'none' };
    list.push(request);
    const body = {
      job: { jobid },
      host: HOST,
      backup_target: { id: TARGET, type: 'nfs', filesystem_export: 'server:/export' },
    };
    try {
      await this.#processes[process].mounts[action](parseTargetRequest(body, action));
      request.answer = 'success';
    } catch (error) {
      request.answer = String(error);
    }
    this.#words.push(`${action} of job ${jobid} is answered: ${request.answer}`);
  }

  #jobOf(index: number): number {
    return this.meeting.sameJob ? 1 : index + 1;
  }

  async #hello(): Promise<void> {
    // Always the same table version: a change would only have the inventories compared, which is not chosen here.
    const hello = { ...this.#node.hello(), mount_table_version: 0 };
    for (const process of this.#processes) await process.views.hear(hello);
  }

  #process(name: string): ClientProcess {
    const side = `process ${name}`;
    const database = withMethods(this.#database, {
      transaction: async (key, work, lives) => {
        await this.#gates.stand(side, 'before a commit');
        const result = await this.#database.transaction(key, work, lives);
        await this.#gates.stand(side, 'after a commit');
        return result;
      },
      // A process that is stopped renews nothing.
      renew: async (token, leaseMs) => {
        if (!this.#gates.isStopped(side)) await this.#database.renew(token, leaseMs);
      },
    });
    const network = withMethods(this.#network, {
      send: async (sender, body, deadlineMs) => {
        const action = String(body.action);
        if (LOOKS.has(action)) return this.#network.send(sender, body, deadlineMs);
        await this.#gates.stand(side, `before it sends the ${action}`);
        const outcome = await this.#network.send(sender, body, deadlineMs);
        await this.#gates.stand(side, `after the answer to the ${action}: ${outcome.kind}`);
        return outcome;
      },
    });
    return new ClientProcess(
      database,
      network,
      new StoredNodes() as unknown as NodesRepository,
      this.defects,
    );
  }

  async #nodeReceives(body: Record<string, unknown>): Promise<Record<string, unknown> | null> {
    const action = String(body.action);
    if (LOOKS.has(action)) return this.#node.receive(body);
    const side = `the node with the ${action} of epoch ${(body.dms as { epoch: number }).epoch}`;
    await this.#gates.stand(side, 'before it is received');
    const reply = await this.#node.receive(body);
    await this.#gates.stand(side, 'before the reply');
    return reply;
  }

  async #nodeWorks(ms: number): Promise<void> {
    await this.#gates.stand('the node', 'before it acts');
    await this.#time.sleep(ms);
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
