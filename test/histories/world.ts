import { Logger } from '@nestjs/common';
import { DmsError, type Hello, type MountResponseDto, type TargetRequestDto } from '@app/contracts';
import { type NodesRepository } from '../../apps/dms-client/src/nodes/nodes.repository';
import { type FenceMemory } from '../../apps/dms-server/src/fence/fence-memory.interface';
import { FenceService } from '../../apps/dms-server/src/fence/fence.service';
import { ClientProcess } from './client-process';
import { type Defects } from './defects';
import { FakeDatabase } from './fake-ledger';
import { FakeNode, HOST, TARGET } from './fake-node';
import { type Event, type History, JOBS, PROCESSES, tell } from './history';
import { Network } from './network';
import { VirtualTime } from './virtual-time';

/** A break from outside is to be noticed within this time. */
const LAG_MS = 30_000;
const PAUSE_MS = 12_000;
const REST_STEP_MS = 10_000;
const REST_STEPS = 40;

/** Wrongs that are built in, of the clients and of the node. */
export interface HistoryDefects extends Defects {
  /** The node acts on every epoch. */
  fenceOpen?: boolean;
  /** What a node has no room for leaves no trace in its memory. */
  refusalForgotten?: boolean;
  /** A caller that hung up is not noticed. */
  hangUpUnnoticed?: boolean;
}

interface Job {
  /** The request that it waits for. */
  request: { readonly caller: AbortController } | null;
  /** It was answered success, and has not asked for the unmount since. */
  relies: { readonly mntId: number | null } | null;
  /** Its last request was an unmount, and was answered success. */
  done: boolean;
}

/** What the services log is of no interest to a history. */
Logger.overrideLogger(false);

/** Nodes of the database cluster, each with a process of its own. */
export const WRITERS = PROCESSES;

/**
 * Carries a history out on real services over fakes, lets everything come to rest, and says what it broke.
 *
 * @returns the history and what was broken, in words; null where nothing was
 */
export async function play(
  history: History,
  defects: HistoryDefects = {},
  /** 1: all processes are connected to one node of the database. */
  writers = WRITERS,
): Promise<string | null> {
  const time = new VirtualTime();
  time.install();
  try {
    const found = await new World(time, defects, writers).play(history);
    return found === null ? null : `${found}\n${tell(history)}`;
  } finally {
    time.uninstall();
  }
}

class World {
  readonly #database: FakeDatabase;
  readonly #node: FakeNode;
  readonly #network: Network;
  readonly #processes: ClientProcess[];
  readonly #jobs: Job[] = Array.from({ length: JOBS }, () => ({ request: null, relies: null, done: false }));
  readonly #stored: NodesRepository;
  readonly #violations: string[] = [];
  #brokenAt = -Infinity;
  #paused = false;
  /** Nothing failed yet that could make an outcome unknown. */
  #faultless = true;

  constructor(
    private readonly time: VirtualTime,
    private readonly defects: HistoryDefects,
    private readonly writers: number,
  ) {
    this.#database = new FakeDatabase(time);
    this.#node = new FakeNode(time, (memory) => this.#fence(memory));
    this.#network = new Network(time, this.#node);
    this.#node.onViolation = this.#network.onViolation = (text) => this.#violations.push(text);
    this.#network.leasesDisturbed = () => this.#database.wasDisturbed || this.#paused;
    this.#node.onTaken = (mount) => {
      const robbed = this.#jobs.findIndex(({ relies }) => relies?.mntId === mount.id);
      if (robbed >= 0 && !mount.broken) {
        this.#violations.push(`I1: the mount was taken from job ${robbed + 1}, which relies on it`);
      }
    };
    this.#node.onMade = (operationId) => {
      if (this.#database.stored.operations.get(operationId)?.status === 'error') {
        this.#violations.push('I3: a mount is made whose operation was ended as failed before');
      }
    };
    this.#stored = storedNodes();
    this.#processes = Array.from({ length: PROCESSES }, (_, index) => this.#start(index));
    this.#sayHello();
    setInterval(() => this.#sayHello(), 4_000);
  }

  async play(history: History): Promise<string | null> {
    await this.time.pass(600);
    for (const { event, thenMs } of history) {
      this.#happen(event);
      await this.time.pass(thenMs);
      if (this.#violations.length > 0) return this.#violations[0];
    }
    this.#calm();
    let wrong: string | null = null;
    let rightSteps = 0;
    for (let step = 0; step < REST_STEPS && rightSteps < 2; step += 1) {
      await this.time.pass(REST_STEP_MS);
      if (this.#violations.length > 0) return this.#violations[0];
      wrong = this.#wrongAtRest();
      rightSteps = wrong === null ? rightSteps + 1 : 0;
    }
    return wrong;
  }

  #fence(memory: FenceMemory): FenceService {
    const fence = new FenceService(memory);
    if (this.defects.fenceOpen) fence.admit = () => 'proceed';
    return fence;
  }

  #start(index: number): ClientProcess {
    const writer = index % this.writers;
    return new ClientProcess(this.#database, this.#network, this.#stored, this.defects, writer);
  }

  #sayHello(): void {
    if (!this.#node.up) return;
    for (const process of this.#processes) if (process.lives) void process.views.hear(this.#node.hello());
  }

  /** No more faults. */
  #calm(): void {
    this.#network.faults.length = 0;
    this.#database.faults.length = 0;
    this.#node.faults.length = 0;
  }

  #happen(event: Event): void {
    this.#faultless &&= ['mount', 'unmount', 'hang up', 'clock'].includes(event.kind);
    switch (event.kind) {
      case 'mount':
      case 'unmount':
        return this.#ask(event.kind, event.job, event.process);
      case 'hang up':
        return this.#hangUp(this.#jobs[event.job]);
      case 'network':
        return void this.#network.faults.push(event.fault);
      case 'database':
        return void this.#database.faults.push(event.fault);
      case 'node':
        return void this.#node.faults.push(event.fault);
      case 'kill':
        this.#processes[event.process].kill();
        this.#processes[event.process] = this.#start(event.process);
        return;
      case 'pause':
        this.#paused = true;
        return this.#processes[event.process].pause(PAUSE_MS);
      case 'clock':
        return this.#database.jump(event.writer % this.writers, event.byMs);
      case 'reboot':
        this.#brokenAt = this.time.now;
        return this.#node.reboot();
      case 'lose memory':
        return this.#node.loseMemory();
      case 'daemon dies':
        this.#brokenAt = this.time.now;
        return this.#node.die();
      case 'server crash':
        return void this.#node.crash(3_000);
    }
  }

  #hangUp(job: Job): void {
    if (!this.defects.hangUpUnnoticed) job.request?.caller.abort();
    job.request = null;
  }

  /** A job that waits for an answer hangs up before it asks for something else. */
  #ask(action: 'mount' | 'unmount', index: number, process: number): void {
    const job = this.#jobs[index];
    this.#hangUp(job);
    const request = { caller: new AbortController() };
    job.request = request;
    // Also a job that asks for the mount once more relies on the answer to that only.
    job.relies = null;
    job.done = false;
    const { mounts } = this.#processes[process];
    const operationId = `operation-${this.time.now}-${index}-${Math.random()}`;
    const options = { caller: request.caller.signal, operationId };
    const body = requestOf(index);
    const answered = action === 'mount' ? mounts.mount(body, options) : mounts.unmount(body, options);
    answered.then(
      (response) => {
        this.#checkOperation(operationId, 'success');
        if (job.request !== request) return;
        job.request = null;
        if (action === 'mount') this.#rely(index, response as MountResponseDto);
        else job.done = true;
      },
      (error: unknown) => {
        if (DmsError.from(error).code === 'INTERNAL')
          this.#violations.push(`A defect showed: ${String(error)}`);
        if (DmsError.from(error).code !== 'TIMEOUT') this.#checkOperation(operationId, 'error');
        if (job.request !== request) return;
        job.request = null;
        if (DmsError.from(error).code === 'TIMEOUT' && this.#faultless)
          this.#violations.push(
            `I3: nothing failed, and job ${index + 1} is told that the outcome is unknown`,
          );
      },
    );
  }

  /** I3: what a job is told is what its operation says; of a request that was never taken in there is none. */
  #checkOperation(operationId: string, told: 'success' | 'error'): void {
    const status = this.#database.stored.operations.get(operationId)?.status;
    const fits = status === told || (status === undefined && told === 'error');
    if (!fits)
      this.#violations.push(`I3: a job is told "${told}", its operation says "${status ?? 'nothing'}"`);
  }

  #rely(index: number, { mnt_id: mntId }: MountResponseDto): void {
    this.#jobs[index].relies = { mntId };
    const { mount } = this.#node;
    const good = mount !== null && !mount.broken && mount.id === mntId;
    if (good || this.time.now - this.#brokenAt < LAG_MS) return;
    this.#violations.push(`I1: job ${index + 1} is told success, and its mount does not stand`);
  }

  /** What is wrong with a world in which nothing happens any more. */
  #wrongAtRest(): string | null {
    const { row, bindings, operations } = this.#database.stored;
    const { mount } = this.#node;
    const { claimed, held } = this.#database.count();
    for (const [index, { relies, done }] of this.#jobs.entries()) {
      const state = bindings.get(index + 1)?.state ?? 'none';
      if (done && state === 'held') return `I2: job ${index + 1} has unmounted, and a binding is held for it`;
      if (relies === null) continue;
      const who = `job ${index + 1}, which was told success and never asked for the unmount,`;
      const stands = mount !== null && !mount.broken && mount.id === relies.mntId;
      if (state === 'held' && !stands) return `I1: ${who} is held, and its mount does not stand`;
      if (state === 'lost' && stands) return `I1: ${who} is told that it lost a mount that is good`;
      if (state !== 'held' && state !== 'lost') return `I1: ${who} has a binding that is ${state}`;
    }
    if (claimed > 0) return `I2: ${claimed} claim(s) stay for ever`;
    if (claimed + held === 0 && mount !== null) return 'I2: nobody counts, and the mount stays';
    if (claimed + held === 0 && row.state !== 'ABSENT')
      return `I2: nobody counts, and the row says ${row.state}`;
    const open = [...operations.values()].filter(({ status }) => status === 'executing').length;
    if (open > 0) return `I3: ${open} operation(s) never end`;
    return row.state === 'ABSENT' || row.state === 'MOUNTED' || row.state === 'BROKEN'
      ? null
      : `I3: the row rests ${row.state}`;
  }
}

function requestOf(index: number): TargetRequestDto {
  return {
    job: { jobid: index + 1 },
    host: HOST,
    backup_target: { id: TARGET, type: 'nfs', filesystem_export: 'server:/export' },
  };
}

/** The table of nodes, which all processes share. */
function storedNodes(): NodesRepository {
  let known: { state: string; incarnation: string; bases: string } | null = null;
  return {
    find: () => Promise.resolve(known),
    heard: ({ incarnation, bases }: Hello) => {
      known = { state: 'up', incarnation, bases: JSON.stringify(bases) };
      return Promise.resolve();
    },
    legacy: () => Promise.resolve(),
  } as unknown as NodesRepository;
}
