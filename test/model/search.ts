import { clientSteps } from './client';
import { environmentSteps } from './environment';
import { fingerprint, sortMessages } from './fingerprint';
import { endLag, violationAtRest, violationIn } from './invariants';
import { nodeSteps } from './node';
import { type Setting } from './rules';
import { describe, initialState, type State } from './state';
import { type Step, Steps } from './step';

/** What a search came to. */
export interface Outcome {
  readonly states: number;
  /** Every state within the bounds was seen. */
  readonly complete: boolean;
  /** The shortest way to a violation, in words; null where none was found. */
  readonly violation: string | null;
}

/** All that may happen next. */
export function stepsOf(state: State, setting: Setting): Step[] {
  const steps = new Steps(state);
  environmentSteps(steps, setting);
  clientSteps(steps, setting);
  nodeSteps(steps, setting);
  for (const { next } of steps.all) {
    endLag(next);
    sortMessages(next);
  }
  return steps.all;
}

/** Breadth first, so that the first violation found has a shortest trace. States are told apart by 64 bit hashes. */
export function searchBreadthFirst(setting: Setting, maxStates: number): Outcome {
  const seen = new Fingerprints(maxStates);
  const parents = new Int32Array(maxStates);
  const choices = new Uint8Array(maxStates);
  const states: (State | undefined)[] = [initialState(setting)];
  let complete = true;
  for (let at = 0; at < states.length; at += 1) {
    const state = states[at] as State;
    states[at] = undefined;
    const steps = stepsOf(state, setting);
    let moves = false;
    for (const [choice, { next, violation, fromOutside }] of steps.entries()) {
      if (!fromOutside) moves = true;
      const found = violation ?? violationIn(next);
      if (found !== null) {
        return {
          states: states.length,
          complete: false,
          violation: told(setting, parents, choices, at, choice, found),
        };
      }
      if (states.length >= maxStates) complete = false;
      else if (seen.add(next)) {
        parents[states.length] = at;
        choices[states.length] = choice;
        states.push(next);
      }
    }
    const found = moves ? null : violationAtRest(state, setting);
    if (found !== null) {
      return {
        states: states.length,
        complete: false,
        violation: told(setting, parents, choices, at, null, found),
      };
    }
  }
  return { states: states.length, complete, violation: null };
}

/** Long random runs; in the second half of each there are no more faults, and it must come to rest. */
export function walkAtRandom(setting: Setting, runs: number, seed: number): Outcome {
  const random = generator(seed);
  let states = 0;
  for (let run = 0; run < runs; run += 1) {
    const lines: string[] = [];
    const calmAfter = random(160);
    let state = initialState(setting);
    for (let depth = 0; ; depth += 1) {
      const steps = stepsOf(state, setting).filter(({ fromOutside }) => !fromOutside || depth < calmAfter);
      const step = steps.length === 0 ? undefined : steps[random(steps.length)];
      if (step !== undefined) lines.push(step.text);
      const ends = depth > calmAfter + 1_000 ? 'it does not come to rest' : null;
      const found =
        step === undefined
          ? violationAtRest(state, setting)
          : (step.violation ?? violationIn(step.next) ?? ends);
      if (found !== null)
        return { states, complete: false, violation: story(found, lines, step?.next ?? state) };
      if (step === undefined) break;
      state = step.next;
      states += 1;
    }
  }
  return { states, complete: false, violation: null };
}

/** The way to a state is walked again by the choices that led there. */
function told(
  setting: Setting,
  parents: Int32Array,
  choices: Uint8Array,
  at: number,
  last: number | null,
  found: string,
): string {
  const path: number[] = last === null ? [] : [last];
  for (let index = at; index > 0; index = parents[index]) path.unshift(choices[index]);
  const lines: string[] = [];
  let state = initialState(setting);
  for (const choice of path) {
    const step = stepsOf(state, setting)[choice];
    lines.push(step.text);
    state = step.next;
  }
  return story(found, lines, state);
}

function story(found: string, lines: readonly string[], state: State): string {
  return [found, ...lines.map((line, index) => `  ${index + 1}. ${line}`), `  then: ${describe(state)}`].join(
    '\n',
  );
}

/** Open addressing over pairs of 32 bit hashes. */
class Fingerprints {
  readonly #mask: number;
  readonly #first: Uint32Array;
  readonly #second: Uint32Array;

  constructor(max: number) {
    const size = 2 ** Math.ceil(Math.log2(max * 2 + 2));
    this.#mask = size - 1;
    this.#first = new Uint32Array(size);
    this.#second = new Uint32Array(size);
  }

  /** False where the state was added before. */
  add(state: State): boolean {
    const [hash, second] = fingerprint(state);
    const first = hash === 0 ? 1 : hash;
    let at = first & this.#mask;
    while (this.#first[at] !== 0) {
      if (this.#first[at] === first && this.#second[at] === second) return false;
      at = (at + 1) & this.#mask;
    }
    this.#first[at] = first;
    this.#second[at] = second;
    return true;
  }
}

/** A small generator of numbers below a bound, the same for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = (seed >>> 0) + 0x6d2b79f5;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
