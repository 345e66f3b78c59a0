import { type Failure, FAILURES } from '../failures/failures';

const INTRODUCTION = `# What fails, and what comes of it

Made from \`test/failures\` by \`npm run docs\`. Times are those of the default settings; each row is shown by the tests that
it names, on real parts.

| | what fails | what users see | how long it takes | shown by |
|---|---|---|---|---|
`;

/** docs/FAILURES.md, from the table of failures. */
export function failuresDocument(): string {
  return `${INTRODUCTION}${FAILURES.map(row).join('\n')}\n`;
}

function row({ failure, seen, takes, shownBy }: Failure, index: number): string {
  const tests = shownBy.map(({ file, test }) => `\`${file}\`: “${test}”`).join('<br>');
  return `| ${index + 1} | ${failure} | ${seen} | ${takes} | ${tests} |`;
}
