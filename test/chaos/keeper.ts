import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientProcess } from '../fleet/client-process';
import { type Fleet } from '../fleet/fleet';
import { type NodeProcess } from '../fleet/node-process';
import { type HarmLog, type HarmPlace } from './harm-log';
import { type Journal } from './journal';

export type Program = ClientProcess | NodeProcess;

const LOOK_EVERY_MS = 1_000;
const STARTING_AGAIN_MS = 1_000;
const READY_AGAIN_MS = 60_000;

/** Keeps the programs running as a service manager does: one that has ended by itself is started again. */
export class Keeper {
  /** Programs that are down on purpose, or being started. */
  readonly #let = new Set<Program>();
  #ended = false;
  #watching: Promise<void> | null = null;
  /** Ends of programs that nobody had killed. */
  crashes = 0;
  /** Programs that did not get ready again after what they need stood again. */
  readonly neverReady: string[] = [];

  constructor(
    private readonly fleet: Fleet,
    private readonly harms: HarmLog,
    private readonly journal: Journal,
  ) {}

  watch(): void {
    this.#watching = this.#watch();
  }

  /** No more looks, no more starts. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#watching;
  }

  nameOf(program: Program): string {
    return 'host' in program
      ? `server ${this.fleet.nodes.indexOf(program) + 1}`
      : `client ${this.fleet.clients.indexOf(program) + 1}`;
  }

  placeOf(program: Program): HarmPlace {
    return { host: 'host' in program ? program.host : null, targetId: null };
  }

  /** Takes a program out of the watch until `bringUp`. */
  letBe(program: Program): void {
    this.#let.add(program);
  }

  /** Starts a program that is down, again and again until it is ready, and watches it from then on. */
  async bringUp(program: Program): Promise<void> {
    while (!this.#ended) {
      try {
        await program.start();
        break;
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        this.journal.note('keeper', `${this.nameOf(program)} did not start: ${text.split('\n')[0]}`);
        await program.stop();
        await sleep(STARTING_AGAIN_MS);
      }
    }
    this.#let.delete(program);
  }

  /** Waits until a program that was paused says ready again, or starts it where it ended over that. */
  async awaitContinued(program: Program): Promise<void> {
    this.#let.delete(program);
    await this.awaitReady(program);
  }

  /** Waits until a program says ready again; one that does not is remembered. */
  async awaitReady(program: Program): Promise<void> {
    const end = this.journal.now() + READY_AGAIN_MS;
    while (!this.#ended && !(await this.#isReady(program))) {
      if (this.journal.now() > end) {
        const what = `${this.nameOf(program)} is not ready ${READY_AGAIN_MS / 1000} s after the harm`;
        this.journal.note('keeper', what);
        this.neverReady.push(what);
        return;
      }
      await sleep(100);
    }
  }

  async #watch(): Promise<void> {
    while (!this.#ended) {
      const watched = [...this.fleet.clients, ...this.fleet.nodes].filter(
        (program) => !this.#let.has(program),
      );
      await Promise.all(watched.map((program) => this.#isReady(program)));
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #isReady(program: Program): Promise<boolean> {
    try {
      return await program.ready();
    } catch (error) {
      if (this.#let.has(program) || this.#ended) return false;
      this.crashes += 1;
      this.letBe(program);
      const text = error instanceof Error ? error.message : String(error);
      this.journal.note('keeper', `${this.nameOf(program)} ended by itself: ${text.split('\n')[0]}`);
      const harm = this.harms.begin('crash', this.nameOf(program), this.placeOf(program));
      await program.stop();
      await this.bringUp(program);
      this.harms.end(harm);
      return true;
    }
  }
}
