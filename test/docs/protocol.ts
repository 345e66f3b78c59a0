import { LEDGER_CHAPTERS } from '../rules/ledger-rules';
import { NODE_CHAPTERS } from '../rules/node-rules';
import { type Chapter, type Evidence } from '../rules/rule';

export const CHAPTERS: readonly Chapter[] = [...LEDGER_CHAPTERS, ...NODE_CHAPTERS];

const INTRODUCTION = `# The mount protocol, rule by rule

Made from the tables in \`test/rules\` by \`npm run docs\`.

Each rule stands here with what happens without it, and with what shows that. A *defect* takes the rule out of the real
services of dms-client: \`test/unit/rules.spec.ts\` tells the same story, or searches the same orders of two requests, deaths
at every point, or histories from a seed, with the rule and without it; with it all must end well, without it not. A rule
that is taken out of the *model* (\`test/model\`) must lead its search to a lie; \`test/unit/model.spec.ts\` sees to that. All
other tests are named by file and name.
`;

/** docs/PROTOCOL.md, from the tables of rules. */
export function protocolDocument(): string {
  return [INTRODUCTION, ...CHAPTERS.map(chapter)].join('\n');
}

function chapter({ title, rules }: Chapter): string {
  const lines = rules.map(
    ({ rule, without, shownBy }) => `| ${rule} | ${without} | ${shownBy.map(evidence).join('<br>')} |`,
  );
  return [`## ${title}`, '', '| rule | without it | shown by |', '|---|---|---|', ...lines, ''].join('\n');
}

function evidence(of: Evidence): string {
  if ('scenario' in of) return `the story “${of.scenario}”, with the defect \`${of.defect}\``;
  if ('among' in of) return `${of.among}, with the defect \`${of.defect}\``;
  if ('model' in of) return `the model without \`${of.model}\``;
  return `\`${of.file}\`: “${of.test}”`;
}
