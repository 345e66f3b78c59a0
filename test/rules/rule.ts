import { type HistoryDefects } from '../histories/world';
import { type RuleName } from '../model/rules';
import { type ScenarioName } from './scenarios';

/** How it shows that a rule is missing. */
export type Evidence =
  /** A story, told with the defect built into the real services. */
  | { readonly scenario: ScenarioName; readonly defect: keyof HistoryDefects }
  /** Orders of two requests, deaths at every point, or histories from a seed, with the defect built in. */
  | { readonly among: 'orders' | 'deaths' | 'histories'; readonly defect: keyof HistoryDefects }
  /** A search of the model without the rule (test/unit/model.spec.ts). */
  | { readonly model: RuleName }
  /** A test of its own, by its file and name. */
  | { readonly file: string; readonly test: string };

/** One rule of the protocol. */
export interface Rule {
  readonly rule: string;
  /** What happens without it. */
  readonly without: string;
  readonly shownBy: readonly Evidence[];
}

/** The rules on one subject. */
export interface Chapter {
  readonly title: string;
  readonly rules: readonly Rule[];
}

export function scenario(name: ScenarioName, defect: keyof HistoryDefects): Evidence {
  return { scenario: name, defect };
}

export function among(kind: 'orders' | 'deaths' | 'histories', defect: keyof HistoryDefects): Evidence {
  return { among: kind, defect };
}

export function model(rule: RuleName): Evidence {
  return { model: rule };
}

export function test(file: string, name: string): Evidence {
  return { file, test: name };
}
