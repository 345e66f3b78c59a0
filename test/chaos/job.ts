import { setTimeout as sleep } from 'node:timers/promises';
import { type HarmLog, type HarmPlace } from './harm-log';
import { type JobPlan } from './job-plan';
import { type Journal, seconds } from './journal';
import { type Expected, lingerIn, type Look, lookInto, OpenFile, writeInto } from './mount-look';
import { type AnswerBody, type Asked, isFinalRefusal, type Orchestrator } from './orchestrator';
import { type Random } from './random';

/** What all jobs work with. */
export interface JobSurroundings {
  readonly orchestrator: Orchestrator;
  readonly harms: HarmLog;
  readonly journal: Journal;
  /** The body of a request without its job. */
  request(host: string, targetId: string): Record<string, unknown>;
  marker(targetId: string): string;
  /** True when no job shall begin anything more: all unmount. */
  stopping(): boolean;
  /** Aborted when nobody waits for the jobs any more. */
  readonly interrupted: AbortSignal;
  /** Milliseconds within which a break is told once the service is whole again. */
  readonly noticeMs: number;
}

/** Something that the service said and that was not so. */
export interface Lie {
  readonly jobid: number;
  readonly at: number;
  readonly what: string;
}

/** A file that was written, or tried to be. */
export interface WrittenFile {
  readonly jobid: number;
  readonly targetId: string;
  readonly name: string;
  readonly text: string;
  readonly at: number;
}

/** An unmount whose answer tells that data was lost, or may be. */
export interface DirtyAnswer {
  readonly jobid: number;
  readonly place: HarmPlace;
  /** When the job asked for the mount. */
  readonly mountedAt: number;
  readonly at: number;
  readonly message: string;
}

interface Grant extends Expected {
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** How the holding of a mount ended. */
type HoldEnd = 'done' | 'lost' | 'lied';

const ASK_AGAIN_MS = 500;
/** How often in a row an unexplained soft problem is forgiven. */
const PATIENT_LOOKS = 3;
/** Damage that was done this long before a mount was asked for may not have been noticed when it was granted. */
const UNNOTICED_MS = 60_000;
/** Longer than it can take until an unmount is answered once nothing is harmed any more. */
const RELEASE_MS = 120_000;

/** A backup job with a careful orchestrator: mounts, looks again and again while it holds the mount, unmounts. */
export class Job {
  readonly lies: Lie[] = [];
  /** Files whose write was acknowledged with an fsync. */
  readonly written: WrittenFile[] = [];
  /** Files that a killed process of the job had open: written, and not synced. */
  readonly unsynced: WrittenFile[] = [];
  /** All files that the job tried to write. */
  readonly tried: WrittenFile[] = [];
  readonly dirtyAnswers: DirtyAnswer[] = [];
  /** Milliseconds that each break took to be told, counted from when the service was whole. */
  readonly noticed: number[] = [];
  /** Whether this job holds nothing by what it was answered, and asked for no unmount. */
  heldNothing = false;
  released = false;
  #grants = 0;
  #broken = false;
  /** What the last unmount was answered. */
  #last: AnswerBody = {};
  #askedAt = 0;

  constructor(
    readonly plan: JobPlan,
    private readonly random: Random,
    private readonly at: JobSurroundings,
  ) {}

  get name(): string {
    return `job ${this.plan.jobid}`;
  }

  /**
   * Files that must be in the bucket: their mount was never broken, and was unmounted cleanly. Of what was not synced only
   * the unmount that took the mount away can tell.
   */
  get durableFiles(): readonly WrittenFile[] {
    if (this.#broken || this.#last.error_code === 'UNMOUNTED_DIRTY') return [];
    return this.#last.unmounted === true ? [...this.written, ...this.unsynced] : this.written;
  }

  async run(): Promise<void> {
    const { place, holdMs } = this.plan;
    this.at.journal.note(this.name, `begins: ${place.targetId} on ${place.host} for ${seconds(holdMs)} s`);
    let grant = await this.#acquire();
    if (grant === 'refused') return;
    if (grant !== 'unknown') {
      const end = await this.#hold(grant);
      if (end === 'lost' && this.plan.mountsAgain && !this.at.stopping()) {
        grant = await this.#acquire();
        if (typeof grant === 'object') await this.#hold(grant);
      }
    }
    await this.#release();
  }

  async #acquire(): Promise<Grant | 'unknown' | 'refused'> {
    this.#grants += 1;
    if (this.#askedAt === 0) this.#askedAt = this.at.journal.now();
    let refusedOnly = this.#grants === 1;
    for (let attempt = 0; attempt < this.plan.attempts && !this.at.stopping(); attempt += 1) {
      if (attempt > 0) await sleep(this.random.between(100, 1_500));
      const asked = await this.#ask('mount');
      if (asked.status === 200) return this.#grantOf(asked);
      if (!isFinalRefusal(asked)) refusedOnly = false;
    }
    if (!refusedOnly || this.plan.unmountsAfterRefusal) return 'unknown';
    this.heldNothing = true;
    return 'refused';
  }

  #grantOf({ body, sentAt, answeredAt }: Asked): Grant {
    const { mount_path: path, device, physically_mounted: mounted } = body;
    if (!path || mounted !== true) this.#lie('a mount was answered with success, but without a mount');
    return {
      path: path ?? '',
      device: device ?? null,
      marker: this.at.marker(this.plan.place.targetId),
      askedAt: sentAt,
      answeredAt,
    };
  }

  /** Looks again and again, until the job is done or something is wrong with its mount. */
  async #hold(grant: Grant): Promise<HoldEnd> {
    const { plan, at } = this;
    const end = at.journal.now() + plan.holdMs;
    let softInRow = 0;
    for (let round = 0; ; round += 1) {
      const look = await this.#look(grant, plan.writes && round === 1);
      const surely = at.harms.sureBreak(plan.place, grant.answeredAt) !== undefined;
      if (surely || (look.kind !== 'good' && this.#isExplained(grant))) {
        const told = await this.#mustBeTold(grant, look);
        if (told !== 'good again') return told;
      } else if (look.kind === 'hard') {
        return this.#lie(`the mount was granted, and ${look.problem}`);
      } else if (look.kind === 'soft') {
        softInRow += 1;
        if (softInRow > PATIENT_LOOKS) return this.#lie(`the mount does not work: ${look.problem}`);
      } else {
        softInRow = 0;
      }
      if (plan.asksForBinding && round % 3 === 1 && !(await this.#isStillHeld(grant))) {
        return this.#broken ? 'lost' : 'lied';
      }
      if (at.stopping() || at.journal.now() >= end) return this.#leave(grant);
      await sleep(plan.lookEveryMs);
    }
  }

  /** Whoever lingers does so beyond the unmount, which then finds the mount busy. */
  async #leave({ path }: Grant): Promise<HoldEnd> {
    if (this.plan.leavesUnsynced) await this.#leaveUnsynced(path);
    if (!this.plan.lingers) return 'done';
    this.at.journal.note(this.name, 'leaves a process in the mount');
    void lingerIn(path, this.random.between(2_000, 8_000));
    await sleep(100);
    return 'done';
  }

  async #leaveUnsynced(path: string): Promise<void> {
    const file = this.#newFile('open');
    const open = await OpenFile.write(`${path}/${file.name}`, file.text);
    if (open === null) return this.at.journal.note(this.name, 'cannot write a file that it leaves open');
    this.unsynced.push(file);
    this.at.journal.note(this.name, `is killed with ${file.name} open`);
    await open.leave();
  }

  #newFile(kind: string): WrittenFile {
    const { jobid, place } = this.plan;
    const file = {
      jobid,
      targetId: place.targetId,
      name: `job-${jobid}-${this.#grants}-${kind}.txt`,
      text: `written by job ${jobid}, ${this.random.next()}\n`.repeat(50),
      at: this.at.journal.now(),
    };
    this.tried.push(file);
    return file;
  }

  async #look(grant: Grant, writes: boolean): Promise<Look> {
    const look = await lookInto(grant);
    if (look.kind === 'good' && writes) {
      const file = this.#newFile('synced');
      const written = await writeInto(grant.path, file.name, file.text);
      if (written.kind === 'good') this.written.push(file);
      else this.at.journal.note(this.name, `writing: ${written.problem}`);
      return written;
    }
    if (look.kind !== 'good') this.at.journal.note(this.name, `sees: ${look.problem}`);
    return look;
  }

  /** False where the binding is lost (and that has a reason) or in a state in which it must not be. */
  async #isStillHeld(grant: Grant): Promise<boolean> {
    const { plan, at } = this;
    const state = await at.orchestrator.bindingState(plan.jobid, plan.place, this.random);
    if (state === null || state === 'held') return true;
    if (state === 'lost' && this.#isExplained(grant)) {
      this.#broken = true;
      at.journal.note(this.name, 'is told that its mount is lost');
      return false;
    }
    this.#lie(`the mount was granted and nothing broke it, and the binding is ${state}`);
    return false;
  }

  /** The mount broke from outside: the service has to say so, in the promised time, unless the mount works again. */
  async #mustBeTold(grant: Grant, first: Look): Promise<HoldEnd | 'good again'> {
    const { plan, at } = this;
    const began = at.journal.now();
    const surely = at.harms.sureBreak(plan.place, grant.answeredAt);
    this.#broken = true;
    const problem = first.kind === 'good' ? '' : `: ${first.problem}`;
    at.journal.note(this.name, `asks whether its mount is lost (${surely?.kind ?? 'perhaps'})${problem}`);
    while (!at.interrupted.aborted) {
      const asked = at.journal.now();
      const state = await at.orchestrator.bindingState(plan.jobid, plan.place, this.random);
      const whole = at.harms.wholeSince(plan.place);
      const since = whole === null ? null : Math.max(whole, surely?.from ?? began);
      if (state === 'lost') {
        const took = at.journal.now() - Math.max(whole ?? 0, surely?.from ?? began);
        this.noticed.push(Math.max(0, took));
        at.journal.note(this.name, `is told that its mount is lost, after ${seconds(took)} s`);
        return 'lost';
      }
      if (state !== null && state !== 'held')
        return this.#lie(`the mount broke from outside, and the binding is ${state}`);
      if (surely === undefined && (await lookInto(grant)).kind === 'good') {
        at.journal.note(this.name, 'finds its mount good again');
        return 'good again';
      }
      if (since !== null && asked - since > at.noticeMs) {
        if (state === 'held')
          return this.#lie(`the mount broke (${first.kind}) and is shown as held after ${at.noticeMs} ms`);
        if (asked - since > 3 * at.noticeMs) return this.#lie('nobody tells what became of a broken mount');
      }
      await sleep(ASK_AGAIN_MS);
    }
    return 'lost';
  }

  async #release(): Promise<void> {
    let stoppingSince: number | null = null;
    while (!this.at.interrupted.aborted) {
      const asked = await this.#ask('unmount');
      if (asked.status === 200) return this.#released(asked);
      if (this.at.stopping()) stoppingSince ??= this.at.journal.now();
      if (stoppingSince !== null && this.at.journal.now() - stoppingSince > RELEASE_MS) {
        this.at.journal.note(this.name, 'gives up unmounting');
        return;
      }
      await sleep(this.random.between(200, 1_500));
    }
  }

  #released({ body, answeredAt: at }: Asked): void {
    this.released = true;
    this.#last = body;
    if (body.error_code !== 'UNMOUNTED_DIRTY') return;
    const { jobid, place } = this.plan;
    const message = String(body.success_msg);
    this.dirtyAnswers.push({ jobid, place, mountedAt: this.#askedAt, at, message });
  }

  #ask(action: 'mount' | 'unmount'): Promise<Asked> {
    const { plan, random, at } = this;
    const request = at.request(plan.place.host, plan.place.targetId);
    const key = plan.usesIdempotencyKey ? `chaos-${plan.jobid}-${action}-${this.#grants}` : undefined;
    return at.orchestrator.ask(action, request, { jobid: plan.jobid, place: plan.place, random, key });
  }

  #isExplained(grant: Grant): boolean {
    return this.at.harms.mayHaveBroken(this.plan.place, grant.askedAt - UNNOTICED_MS);
  }

  #lie(what: string): 'lied' {
    this.#broken = true;
    this.lies.push({ jobid: this.plan.jobid, at: this.at.journal.now(), what });
    this.at.journal.note(this.name, `LIE: ${what}`);
    return 'lied';
  }
}
