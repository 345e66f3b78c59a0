import { DmsError, parseReply } from '@app/contracts';
import { type CommandOutcome } from '../../apps/dms-client/src/nodes/node-commands.service';
import { type FakeNode, type ReplyBody } from './fake-node';
import { type VirtualTime } from './virtual-time';

/** What happens to the next command, or to its reply. */
export type NetworkFault = 'command lost' | 'reply lost' | 'reply late' | 'delivered twice' | 'command late';

const LATENCY_MS = 5;
const LOOKS = new Set(['probe', 'inventory']);

interface Sender {
  readonly lives: boolean;
  /** The body as it goes out. */
  atSending(body: ReplyBody): Promise<ReplyBody>;
}

/** Takes commands to the node and its replies back, not always. */
export class Network {
  readonly faults: NetworkFault[] = [];
  /** Called where two processes have commands for the target under way that both believe to hold the lease. */
  onViolation: (text: string) => void = () => undefined;
  /** True where a lease may have run out beneath its living holder. */
  leasesDisturbed: () => boolean = () => false;
  readonly #underWay = new Set<{ readonly sender: Sender }>();

  constructor(
    private readonly time: VirtualTime,
    private readonly node: FakeNode,
  ) {}

  async send(sender: Sender, decided: ReplyBody, deadlineMs: number): Promise<CommandOutcome> {
    const body = await sender.atSending(decided);
    if (LOOKS.has(String(body.action))) return this.#send(body, deadlineMs, null);
    const others = [...this.#underWay].filter((other) => other.sender.lives);
    if (others.length > 0 && !this.leasesDisturbed())
      this.onViolation('Two commands of one target are sent at a time');
    const entry = { sender };
    this.#underWay.add(entry);
    try {
      return await this.#send(body, deadlineMs, this.faults.shift() ?? null);
    } finally {
      this.#underWay.delete(entry);
    }
  }

  async #send(body: ReplyBody, deadlineMs: number, fault: NetworkFault | null): Promise<CommandOutcome> {
    if (!this.node.up) {
      return { kind: 'unsent', error: new DmsError('NODE_UNREACHABLE', 'Nobody listens') };
    }
    const deadline = this.time.sleep(deadlineMs).then((): CommandOutcome => {
      return { kind: 'unknown', reason: 'no answer' };
    });
    return Promise.race([deadline, this.#deliver(body, deadlineMs, fault)]);
  }

  async #deliver(body: ReplyBody, deadlineMs: number, fault: NetworkFault | null): Promise<CommandOutcome> {
    const never = new Promise<never>(() => undefined);
    await this.time.sleep(fault === 'command late' ? deadlineMs + 25_000 : LATENCY_MS);
    if (fault === 'command lost' || !this.node.up) return never;
    if (fault === 'delivered twice') {
      void this.time.sleep(1_000).then(() => (this.node.up ? this.node.receive(body) : null));
    }
    const reply = await this.node.receive(body);
    if (reply === null || fault === 'reply lost') return never;
    await this.time.sleep(fault === 'reply late' ? deadlineMs : LATENCY_MS);
    const parsed = parseReply(reply);
    return parsed === null ? never : { kind: 'reply', reply: parsed };
  }
}
