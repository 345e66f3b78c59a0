import { type TargetAction } from '@app/contracts';
import { LEASE_MS } from '../histories/client-process';
import { type Defects } from '../histories/defects';
import { type Choices } from './choices';
import { type Standing } from './gates';
import { Stage } from './stage';
import { wrongAtRest, wrongNow } from './verdict';

/** Two requests that meet, the second a moment after the first. */
export interface Meeting {
  readonly actions: readonly [TargetAction, TargetAction];
  readonly sameJob: boolean;
  readonly sameProcess: boolean;
}

export interface ScheduleOptions {
  /** Wrongs to be built in, which the checks must find. */
  readonly defects?: Defects;
  /**
   * How often a schedule leaves a side that could go on, or lets the leases run out. Where a side waits for another, all
   * others are tried in any case.
   */
  readonly interruptions?: number;
}

const STEP_MS = 10;
const LONGEST_MS = 120_000;
const REST_STEP_MS = 5_000;
const REST_STEPS = 12;

/** One schedule of a meeting: who goes on is chosen at every point; the invariants are looked at after every step. */
export class Schedule {
  readonly #stage: Stage;
  readonly #names: readonly string[];
  readonly #allowed: number;
  #interruptions = 0;
  #last: string | null = null;

  constructor(
    private readonly meeting: Meeting,
    private readonly choices: Choices,
    { defects = {}, interruptions = 1 }: ScheduleOptions = {},
  ) {
    this.#allowed = interruptions;
    this.#names = meeting.sameProcess ? ['A'] : ['A', 'B'];
    this.#stage = new Stage(this.#names, defects);
  }

  /** Null where all went well; else the schedule in words, and what is wrong. */
  async run(): Promise<string | null> {
    const { gates, words, wrongs } = this.#stage;
    try {
      await this.#stage.hello();
      await this.#prepare();
      // Where a transaction stands with its row locked, nobody else goes on: it is as good as before it.
      gates.stops = (_side, point) => point !== 'before a commit';
      await this.#meet();
      gates.openAll();
      await this.#rest();
    } finally {
      this.#stage.close();
    }
    if (wrongs.length === 0) return null;
    return [...words, ...wrongs.map((wrong) => `WRONG: ${wrong}`)].join('\n');
  }

  /** What the requests need to be there: the holds that are to be unmounted. */
  async #prepare(): Promise<void> {
    const stage = this.#stage;
    const { actions, sameJob } = this.meeting;
    for (const [index, action] of actions.entries()) {
      const ownMountMeetsIt = sameJob && index > 0;
      if (action === 'unmount' && !ownMountMeetsIt) void stage.ask('mount', this.#jobOf(index), 'A');
    }
    await stage.time.pass(3_000);
    await stage.hello();
    stage.words.push('--');
  }

  async #meet(): Promise<void> {
    const stage = this.#stage;
    const { time, requests } = stage;
    for (const [index, action] of this.meeting.actions.entries()) {
      void stage.ask(action, this.#jobOf(index), this.#names[index % this.#names.length]);
      await time.pass(1);
    }
    const end = time.now + LONGEST_MS;
    while (requests.some(({ answer }) => answer === 'none')) {
      await time.pass(STEP_MS);
      this.#check(wrongNow(stage));
      if (stage.wrongs.length > 0) return;
      if (stage.gates.standing.length > 0) await this.#choose();
      if (time.now > end) this.#check('I3: a request is not answered');
    }
  }

  async #rest(): Promise<void> {
    const stage = this.#stage;
    let wrong: string | null = null;
    let right = 0;
    for (let step = 0; step < REST_STEPS && right < 2 && stage.wrongs.length === 0; step += 1) {
      await stage.pass(REST_STEP_MS);
      wrong = wrongAtRest(stage);
      right = wrong === null ? right + 1 : 0;
    }
    this.#check(wrong);
  }

  /** Lets one of those that stand go on; leaving the side that went on last, where it could, is an interruption. */
  async #choose(): Promise<void> {
    const stage = this.#stage;
    const { standing } = stage.gates;
    const same = standing.find(({ side }) => side === this.#last);
    const others = standing.filter((other) => other !== same);
    const mayInterrupt = this.#interruptions < this.#allowed;
    const ways: (Standing | 'pause')[] = [
      ...(same === undefined ? [] : [same]),
      ...(same === undefined || mayInterrupt ? others : []),
      ...(mayInterrupt && !stage.disturbed ? (['pause'] as const) : []),
    ];
    const way = ways[this.choices.choose(ways.length)];
    if (way === 'pause') {
      this.#interruptions += 1;
      stage.disturbed = true;
      stage.words.push(`all that stand stay so for ${LEASE_MS / 1000} s and more: ${this.#whoStands()}`);
      await stage.time.pass(LEASE_MS + 1_000);
      await stage.hello();
      return;
    }
    if (same !== undefined && way !== same) this.#interruptions += 1;
    this.#last = way.side;
    stage.words.push(`${way.side} goes on ${way.point}`);
    stage.gates.letGo(way);
  }

  #whoStands(): string {
    return this.#stage.gates.standing.map(({ side, point }) => `${side} ${point}`).join(', ');
  }

  #check(wrong: string | null): void {
    if (wrong !== null) this.#stage.wrongs.push(wrong);
  }

  #jobOf(index: number): number {
    return this.meeting.sameJob ? 1 : index + 1;
  }
}
