import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import * as fc from 'fast-check';
import { type TargetAction } from '@app/contracts';
import { CHAPTERS } from '../docs/protocol';
import { ROOT } from '../fleet/programs';
import { type History, histories } from '../histories/history';
import { type HistoryDefects, play } from '../histories/world';
import { Choices } from '../interleavings/choices';
import { Death } from '../interleavings/death';
import { Schedule } from '../interleavings/schedule';
import { MUTANTS } from '../model/scenarios';
import { type Evidence } from '../rules/rule';
import { playScenario, type ScenarioName, SCENARIOS } from '../rules/scenarios';

// Core modules can only be replaced here: the services' sleeps are to take the time of the history.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  setImmediate: () => Promise.resolve(),
}));

const SEED = 20_240_601;
const HISTORIES = 1_000;
const ORDERS = 100;

const ACTIONS: readonly TargetAction[] = ['mount', 'unmount'];
const RULES = CHAPTERS.flatMap(({ rules }) => rules);
const EVIDENCE = RULES.flatMap(({ shownBy }) => shownBy);

function of<K extends string>(key: K): Extract<Evidence, Record<K, unknown>>[] {
  return EVIDENCE.filter((evidence): evidence is Extract<Evidence, Record<K, unknown>> => key in evidence);
}

async function isFound(among: 'orders' | 'deaths' | 'histories', defects: HistoryDefects): Promise<boolean> {
  if (among === 'orders') return isFoundByOrders(defects);
  if (among === 'deaths') return isFoundByDeaths(defects);
  const property = fc.asyncProperty(
    histories,
    async (history: History) => (await play(history, defects)) === null,
  );
  return (await fc.check(property, { numRuns: HISTORIES, seed: SEED, endOnFailure: true })).failed;
}

async function isFoundByOrders(defects: HistoryDefects): Promise<boolean> {
  for (const one of ACTIONS) {
    for (const other of ACTIONS) {
      for (const sameJob of [true, false]) {
        const choices = new Choices();
        const meeting = { actions: [one, other] as const, sameJob, sameProcess: false };
        for (let order = 0; order === 0 || (order < ORDERS && choices.next()); order += 1) {
          if ((await new Schedule(meeting, choices, { defects }).run()) !== null) return true;
        }
      }
    }
  }
  return false;
}

async function isFoundByDeaths(defects: HistoryDefects): Promise<boolean> {
  for (const action of ACTIONS) {
    for (let at = 1; ; at += 1) {
      const death = new Death({ action, shared: false, asksAgain: true, child: 'lives' }, at, defects);
      if ((await death.run()) !== null) return true;
      if (death.where === null) break;
    }
  }
  return false;
}

beforeAll(() => void Logger.overrideLogger(false));

describe('the rules of the protocol', () => {
  it.each(Object.keys(SCENARIOS) as ScenarioName[])('with all rules, it ends well: %s', async (name) => {
    expect(await playScenario(name)).toBeNull();
  });

  it.each(of('scenario').map(({ scenario, defect }) => [defect, scenario] as const))(
    'with the defect %s, it does not: %s',
    async (defect, name) => {
      expect(await playScenario(name, { [defect]: true })).not.toBeNull();
    },
  );

  // Without a defect they are gone through in interleavings.spec.ts and histories.spec.ts.
  it.each(of('among').map(({ among, defect }) => [defect, among] as const))(
    'the defect %s shows among the %s',
    async (defect, among) => {
      expect(await isFound(among, { [defect]: true })).toBe(true);
    },
  );

  it.each(of('model').map(({ model }) => model))('the model is searched without the rule %s', (rule) => {
    expect(MUTANTS.some(({ without }) => without.includes(rule))).toBe(true);
  });

  it.each(of('file').map(({ file, test }) => [file, test] as const))('there is in %s: %s', (file, name) => {
    const path = join(ROOT, file);
    expect(existsSync(path) && readFileSync(path, 'utf8').includes(name)).toBe(true);
  });

  it('are each shown by the code, not by the model alone', () => {
    const bare = RULES.filter(({ shownBy }) => shownBy.every((evidence) => 'model' in evidence));
    expect(bare.map(({ rule }) => rule)).toEqual([]);
  });
});
