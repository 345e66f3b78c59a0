import { type TargetAction } from '@app/contracts';
import { type Defects } from '../histories/defects';
import { NODE, type Request, Stage } from './stage';
import { wrongAtRest, wrongNow } from './verdict';

/** A request during which somebody dies. */
export interface Dying {
  readonly action: TargetAction;
  /** Another job holds the target, too. */
  readonly shared: boolean;
  /** Whether the job that lost its answer asks again. */
  readonly asksAgain: boolean;
  /** What becomes of a child of the node that dies. */
  readonly child: 'dies' | 'lives';
}

const STEP_MS = 20;
const LONGEST_MS = 60_000;
const NODE_DOWN_MS = 3_000;
const TRIES = 20;
const BETWEEN_TRIES_MS = 3_000;
const REST_STEP_MS = 10_000;
const REST_STEPS = 20;

/**
 * A request in process A, and a death at the n-th of the named points that it passes: of the process or of the node,
 * whichever stands there. What died starts again; process B lives all along. Then everything must heal by itself.
 */
export class Death {
  readonly #stage: Stage;
  #passed = 0;
  #where: string | null = null;

  constructor(
    private readonly dying: Dying,
    private readonly at: number,
    /** Wrongs to be built in, which the checks must find. */
    defects: Defects = {},
  ) {
    this.#stage = new Stage(['A', 'B'], defects);
  }

  /** The point at which it happened; null where the request does not pass as many. */
  get where(): string | null {
    return this.#where;
  }

  /** Null where all went well; else the history in words, and what is wrong. */
  async run(): Promise<string | null> {
    const { words, wrongs } = this.#stage;
    try {
      await this.#stage.hello();
      await this.#prepare();
      await this.#die();
      if (this.#where !== null) await this.#heal();
    } finally {
      this.#stage.close();
    }
    return wrongs.length === 0 ? null : [...words, ...wrongs.map((wrong) => `WRONG: ${wrong}`)].join('\n');
  }

  async #prepare(): Promise<void> {
    const { action, shared } = this.dying;
    if (shared) void this.#stage.ask('mount', 2, 'B');
    if (action === 'unmount') void this.#stage.ask('mount', 1, 'A');
    await this.#stage.time.pass(3_000);
    this.#stage.words.push('--');
  }

  async #die(): Promise<void> {
    const { gates, time } = this.#stage;
    gates.stops = (side, point) => {
      if (side === 'process B') return false;
      this.#passed += 1;
      if (this.#passed !== this.at) return false;
      this.#where = `${side} ${point}`;
      return true;
    };
    const request = this.#ask('A');
    for (let passed = 0; passed < LONGEST_MS; passed += STEP_MS) {
      await time.pass(STEP_MS);
      if (gates.standing.length > 0) return this.#kill(gates.standing[0].side);
      if ((await settled(request)) !== null) return;
    }
  }

  #kill(side: string): void {
    const stage = this.#stage;
    stage.disturbed = true;
    stage.words.push(`killed: ${this.#where}`);
    if (side.startsWith(NODE)) void stage.node.crash(NODE_DOWN_MS, this.dying.child);
    else stage.start('A');
    stage.gates.openAll();
  }

  /** Who had no answer asks again, if it is to, until there is one; then nothing is left open. */
  async #heal(): Promise<void> {
    const stage = this.#stage;
    const first = stage.requests.at(-1);
    await this.#pass(BETWEEN_TRIES_MS);
    for (let tries = 0; this.dying.asksAgain && first?.answer !== 'success'; tries += 1) {
      if (tries === TRIES) return void stage.wrongs.push('I3: asked again and again, it never succeeds');
      const again = this.#ask('B');
      await this.#pass(BETWEEN_TRIES_MS);
      if ((await settled(again))?.answer === 'success') break;
    }
    let wrong: string | null = null;
    let right = 0;
    for (let step = 0; step < REST_STEPS && right < 2 && stage.wrongs.length === 0; step += 1) {
      await this.#pass(REST_STEP_MS);
      wrong = wrongAtRest(stage);
      right = wrong === null ? right + 1 : 0;
    }
    if (wrong !== null) stage.wrongs.push(wrong);
  }

  async #pass(ms: number): Promise<void> {
    await this.#stage.pass(ms);
    const wrong = wrongNow(this.#stage);
    if (wrong !== null) this.#stage.wrongs.push(wrong);
  }

  #ask(name: string): Promise<Request> {
    return this.#stage.ask(this.dying.action, 1, name);
  }
}

/** The request if it was answered; null where it is not yet. */
async function settled(request: Promise<Request>): Promise<Request | null> {
  return Promise.race([request, Promise.resolve(null)]);
}
