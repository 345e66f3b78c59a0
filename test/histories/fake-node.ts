import {
  type EnvelopeDto,
  type ErrorCode,
  type Hello,
  type MountObservation,
  type MountObservationState,
} from '@app/contracts';
import { type FenceMemory } from '../../apps/dms-server/src/fence/fence-memory.interface';
import { type FenceService } from '../../apps/dms-server/src/fence/fence.service';
import { type TargetRecord } from '../../apps/dms-server/src/fence/target-record';
import { TargetQueues } from '../../apps/dms-server/src/mounts/target-queue';
import { type VirtualTime } from './virtual-time';

export const HOST = 'node-1';
export const TARGET = 'target-1';
const BASE = '/srv/mounts';
const PATH = `${BASE}/${TARGET}`;
const WORK_MS = 300;
const CHILD_WAIT_MS = 5_000;
/** So long a child lives that its server gave up on, or did not outlive. */
const CHILD_LIFE_MS = 8_000;

/** How the next mount or unmount of a history goes wrong; for want of room, the next command. */
export type NodeFault = 'mount fails' | 'busy' | 'hangs and acts' | 'hangs and dies' | 'no room';

/** A reply as it goes onto the wire. */
export type ReplyBody = Record<string, unknown>;

/** The one mount that may stand. */
export interface Mount {
  readonly id: number;
  broken: boolean;
}

/** What a child does to the mount table, for the command of that epoch. */
interface Deed {
  readonly epoch: number;
  readonly change: () => void;
}

class Memory implements FenceMemory {
  readonly #records = new Map<string, TargetRecord>();
  /** There is one target only. */
  readonly isFull = false;
  incarnation: string;
  ledger: string | null = null;

  constructor(
    readonly memoryId: string,
    readonly bootId: string,
  ) {
    this.incarnation = memoryId;
  }

  get(targetId: string): TargetRecord | null {
    return this.#records.get(targetId) ?? null;
  }

  all(): TargetRecord[] {
    return [...this.#records.values()];
  }

  save(record: TargetRecord): void {
    this.#records.set(record.targetId, record);
  }

  takeLedger(ledger: string): void {
    this.ledger = ledger;
  }

  changeLedger(ledger: string | null): void {
    this.ledger = ledger;
    this.incarnation += '+';
  }

  makeRoom(): boolean {
    return false;
  }

  problem(): null {
    return null;
  }
}

/** A node by its rules: the fence and the queue are those of dms-server, the kernel is a variable. */
export class FakeNode {
  up = true;
  mount: Mount | null = null;
  readonly faults: NodeFault[] = [];
  /** A defect: what there is no room for leaves no trace in the memory. */
  forgetsRefusals = false;
  /** Called before a mount is taken away. */
  onTaken: (mount: Mount) => void = () => undefined;
  /** Called when a mount is made, with the operation for which. */
  onMade: (operationId: string) => void = () => undefined;
  /** Called when something is wrong with how the node is used. */
  onViolation: (text: string) => void = () => undefined;
  /** Awaited before and after a child changes the mount table. */
  atPoint: (point: string) => Promise<void> = () => Promise.resolve();
  #fences: FenceService;
  #queues = new TargetQueues(8);
  #server = 1;
  #incarnations = 0;
  #boots = 1;
  #mounts = 0;
  #childUntil = 0;
  #acting: Deed | null = null;
  /** Whether the memory has the mount that stands: without it, it may be anybody's. */
  #knowsMount = false;
  /** I4: the highest epoch whose command changed something, and the highest that was told as settled. */
  #lastActed = 0;
  #lastSettled = 0;
  /** Epochs of refused commands: these may do nothing at any time. What was begun before them may still act. */
  readonly #refused = new Set<number>();
  #version = 0;

  constructor(
    private readonly time: VirtualTime,
    private readonly fenceOf: (memory: FenceMemory) => FenceService,
  ) {
    this.#fences = fenceOf(this.#newMemory());
  }

  hello(): Hello {
    const { incarnation } = this.#fences;
    return {
      node: HOST,
      incarnation,
      boot_id: this.#fences.bootId,
      protocol: 1,
      version: 'test',
      bases: [BASE],
      mount_table_version: this.#version,
      public_key: null,
      signing_key: null,
    };
  }

  die(): void {
    if (this.mount !== null) this.mount.broken = true;
  }

  /** Somebody past the service mounts the target at its path; the kernel may give an id that was given before. */
  mountByHand(id: number): void {
    this.mount = { id, broken: false };
  }

  reboot(): void {
    this.mount = null;
    this.#childUntil = 0;
    this.#boots += 1;
    this.loseMemory();
  }

  /** dms-server is started again without its run directory. */
  loseMemory(): void {
    this.#restart();
    this.#knowsMount = false;
    this.#fences = this.fenceOf(this.#newMemory());
  }

  /** dms-server is killed; what it worked on goes no further, unless its child lives on. It is up again after `ms`. */
  async crash(ms: number, child: 'dies' | 'lives' = 'dies'): Promise<void> {
    if (child === 'lives' && this.#acting !== null) this.#leaveBehind(this.#acting, true);
    this.#restart();
    this.up = false;
    await this.time.sleep(ms);
    this.up = true;
  }

  /** Null: the server died meanwhile, and there is no reply. */
  async receive(body: ReplyBody): Promise<ReplyBody | null> {
    const server = this.#server;
    const envelope = body.dms as EnvelopeDto;
    const reply = await this.#handle(String(body.action), envelope, server);
    return server === this.#server ? reply : null;
  }

  async #handle(action: string, envelope: EnvelopeDto, server: number): Promise<ReplyBody> {
    if (action === 'probe') return this.#ok(this.#queues.isBusy(TARGET) ? 'unknown' : this.#state(), 'seen');
    if (action === 'inventory') {
      const busy = this.#queues.isBusy(TARGET);
      const mounts = [this.#observation(busy ? 'unknown' : this.#state())];
      return { ...this.#ok(this.#state(), 'seen'), inventory: { mounts, foreign: [], processes: [] } };
    }
    if (this.forgetsRefusals && this.#isFull()) return this.#refuse(envelope);
    const admission = this.#fences.admit(TARGET, envelope, this.#queues.isAnyBusy);
    if (admission === 'foreign') return this.#error('CONFLICT', this.#state(), false);
    if (admission === 'stale') return this.#error('STALE_EPOCH', this.#state(), false);
    if (this.#isFull()) {
      if (admission === 'repeat') return this.#error('TIMEOUT', 'unknown');
      const refused = this.#refuse(envelope);
      this.#settled(envelope, refused);
      return refused;
    }
    return this.#queues.run(TARGET, async () => {
      if (server !== this.#server) return this.#error('INTERNAL', 'unknown');
      if (await this.#childStays()) return this.#error('TIMEOUT', 'unknown');
      if (action === 'fence') {
        this.#lastSettled = Math.max(this.#lastSettled, envelope.epoch);
        this.#knowsMount = true;
        return this.#ok(this.#state(), 'fenced');
      }
      if (admission === 'repeat') return this.#repeat();
      return action === 'mount' ? this.#mount(server, envelope) : this.#unmount(server, envelope);
    });
  }

  #isFull(): boolean {
    if (this.faults[0] !== 'no room') return false;
    this.faults.shift();
    return true;
  }

  #refuse({ epoch }: EnvelopeDto): ReplyBody {
    this.#refused.add(epoch);
    return { ...this.#error('BUSY', 'unknown', false), mount: null };
  }

  async #childStays(): Promise<boolean> {
    const left = this.#childUntil - this.time.now;
    if (left > 0) await this.time.sleep(Math.min(left, CHILD_WAIT_MS));
    return this.#childUntil > this.time.now;
  }

  #repeat(): ReplyBody {
    return this.#error('TIMEOUT', this.#state());
  }

  async #mount(server: number, envelope: EnvelopeDto): Promise<ReplyBody> {
    if (this.mount?.broken === true) return this.#error('MOUNT_FAILED', 'broken', false);
    const fault = this.#fault('mount fails');
    if (this.mount === null && fault === 'mount fails')
      return this.#settled(envelope, this.#error('MOUNT_FAILED', 'absent'));
    const put = (): void => {
      if (this.mount !== null) return;
      this.#mounts += 1;
      this.#version += 1;
      this.#knowsMount = true;
      this.mount = { id: this.#mounts, broken: false };
      this.onMade(envelope.operation_id);
    };
    if (await this.#act(server, fault, { epoch: envelope.epoch, change: put }))
      return this.#error('TIMEOUT', 'unknown');
    const state = this.#state();
    return state === 'mounted'
      ? this.#settled(envelope, this.#ok(state, 'mounted'))
      : this.#error('MOUNT_FAILED', state);
  }

  async #unmount(server: number, envelope: EnvelopeDto): Promise<ReplyBody> {
    if (this.mount !== null && !this.#knowsMount) return this.#error('CONFLICT', 'foreign', false);
    const fault = this.#fault('busy');
    if (this.mount !== null && fault === 'busy') return this.#error('BUSY', this.#state());
    const take = (): void => {
      if (this.mount === null) return;
      this.onTaken(this.mount);
      this.#version += 1;
      this.mount = null;
    };
    if (await this.#act(server, fault, { epoch: envelope.epoch, change: take }))
      return this.#error('TIMEOUT', 'unknown');
    return this.#settled(envelope, this.#ok(this.#state(), 'unmounted'));
  }

  /** True where the child was given up on. */
  async #act(server: number, fault: NodeFault | null, deed: Deed): Promise<boolean> {
    if (this.#acting !== null) this.onViolation('Two commands of one target act at the same time');
    this.#acting = deed;
    await this.atPoint('before it acts');
    await this.time.sleep(WORK_MS);
    if (server !== this.#server) return true;
    if (fault === 'hangs and acts' || fault === 'hangs and dies') {
      this.#acting = null;
      this.#leaveBehind(deed, fault === 'hangs and acts');
      return true;
    }
    this.#do(deed);
    await this.atPoint('after it acted');
    if (server !== this.#server) return true;
    this.#acting = null;
    return false;
  }

  /** A child that nobody waits for any more: it ends after a while, and may act before that. */
  #leaveBehind(deed: Deed, acts: boolean): void {
    this.#childUntil = this.time.now + CHILD_LIFE_MS;
    const until = this.#childUntil;
    void this.time.sleep(CHILD_LIFE_MS - 1).then(() => {
      if (acts && until === this.#childUntil) this.#do(deed);
    });
  }

  #do({ epoch, change }: Deed): void {
    const before = this.mount;
    change();
    if (this.mount === before) return;
    if (epoch <= this.#lastActed || epoch < this.#lastSettled || this.#refused.has(epoch))
      this.onViolation('I4: a repeated or older command changes the mount table');
    this.#lastActed = Math.max(this.#lastActed, epoch);
  }

  /** A fault that does not fit the action waits for the next one. */
  #fault(own: 'mount fails' | 'busy'): NodeFault | null {
    const [next] = this.faults;
    if (next === undefined || next === 'no room') return null;
    if ((next === 'mount fails' || next === 'busy') && next !== own) return null;
    this.faults.shift();
    return next;
  }

  #settled(envelope: EnvelopeDto, reply: ReplyBody): ReplyBody {
    const { status, error_code, error_msg, success_msg } = reply as never;
    this.#fences.settle(TARGET, envelope, { status, error_code, error_msg, success_msg });
    return { ...reply, mount: this.#observation(this.#state()) };
  }

  #state(): MountObservationState {
    if (this.#childUntil > this.time.now) return 'unknown';
    if (this.mount === null) return 'absent';
    return this.mount.broken ? 'broken' : 'mounted';
  }

  #restart(): void {
    this.#server += 1;
    this.#acting = null;
    this.#queues = new TargetQueues(8);
  }

  #newMemory(): Memory {
    this.#incarnations += 1;
    return new Memory(`incarnation-${this.#incarnations}`, `boot-${this.#boots}`);
  }

  #ok(state: MountObservationState, text: string): ReplyBody {
    return this.#body('success', null, null, text, state, true);
  }

  #error(code: ErrorCode, state: MountObservationState, acted = true): ReplyBody {
    return this.#body('error', code, code, null, state, acted);
  }

  #body(
    status: string,
    error_code: ErrorCode | null,
    error_msg: string | null,
    success_msg: string | null,
    state: MountObservationState,
    acted: boolean,
  ): ReplyBody {
    const mount = this.#observation(state);
    const { incarnation, bootId } = this.#fences;
    return {
      status,
      error_msg,
      success_msg,
      error_code,
      mount_path: PATH,
      epoch: mount.epoch,
      incarnation,
      boot_id: bootId,
      node: HOST,
      mount,
      acted,
    };
  }

  #observation(state: MountObservationState): MountObservation {
    const { epoch, operationId } = this.#fences.recordOf(TARGET);
    const stands = this.mount !== null;
    return {
      state,
      mounted: stands,
      children_left: this.#childUntil > this.time.now ? 1 : 0,
      backup_target_id: TARGET,
      mount_path: PATH,
      source: stands ? 'server:/export' : null,
      type: stands ? 'nfs' : null,
      fstype: stands ? 'nfs4' : null,
      mnt_id: this.mount?.id ?? null,
      device: stands ? '0:50' : null,
      read_only: stands ? false : null,
      layers: stands ? 1 : 0,
      pid: null,
      flush_verified: null,
      users: [],
      epoch,
      operation_id: operationId,
    };
  }
}
