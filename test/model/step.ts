import { copyOf, type State } from './state';

/** One atomic step of somebody. */
export interface Step {
  readonly text: string;
  readonly next: State;
  /** What it broke; null: nothing. */
  readonly violation: string | null;
  /** A fault, or a new wish of a job: at rest, only such steps are left. */
  readonly fromOutside: boolean;
}

/** Gathers the steps that are possible in a state. */
export class Steps {
  readonly all: Step[] = [];

  constructor(readonly state: State) {}

  /** A step that happens some time, unless something else makes it impossible. */
  may(text: string, change: (next: State) => string | null | void): void {
    this.#add(text, change, false);
  }

  /** A fault, or a new wish. */
  mayFromOutside(text: string, change: (next: State) => string | null | void): void {
    this.#add(text, change, true);
  }

  #add(text: string, change: (next: State) => string | null | void, fromOutside: boolean): void {
    const next = copyOf(this.state);
    const violation = change(next) ?? null;
    this.all.push({ text, next, violation, fromOutside });
  }
}
