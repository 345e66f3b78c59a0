import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandsOf, type DocumentedCommand, documents, fits, mentionsOf } from '../docs/document-blocks';
import { httpDocument } from '../docs/http';
import { NOT_RUN, OTHER_STATUS } from '../docs/not-run';
import { DocumentedFleet } from '../fleet/documented-fleet';
import { type OpenApi } from '../docs/open-api';
import { PROGRAMS, ROOT } from '../fleet/programs';
import { type CommandResult, runCommand } from '../rig';
import { describeDocumented } from '../e2e/on-rig';

const HELP_TIMEOUT_MS = 60_000;
/** Commands that only look: one that stands in several places is run once, and in the README, which has no fleet yet. */
const LOOKS =
  /^(rabbitmqctl list_|dms (nodes|operations|list-mounts|locks)\b(?!.* --(release|drain|forget|accept))|dms-server (check|processes)(?!.* --kill))/;
const COMMANDS = new Map(documents().map((document) => [document, commandsOf(document)]));
const ALL = [...COMMANDS.values()].flat();

describeDocumented('the commands of the documents', (rig) => {
  let documented: DocumentedFleet;
  const done = new Set<string>();

  beforeAll(async () => {
    documented = await DocumentedFleet.start(rig);
  });
  afterAll(() => documented?.stop());

  it.each([...COMMANDS].filter(([, commands]) => commands.length > 0))(
    '%s: each does what it is there for',
    async (document, commands) => {
      const session = await documented.session(document);
      const wrong: string[] = [];
      try {
        for (const command of commands.filter(isRun)) {
          if (done.has(command.text)) continue;
          const result = await documented.run(session, document, command.text);
          wrong.push(...problemsOf(command, result));
          if (document !== 'README.md' && LOOKS.test(command.text)) done.add(command.text);
        }
      } finally {
        await session.end();
      }
      expect(wrong).toEqual([]);
    },
  );

  it('docs/HTTP.md is what the service says of itself (npm run docs makes it)', async () => {
    const { body } = await documented.stage.fleet.api.get<OpenApi>('/docs/json');
    expect(readFileSync(join(ROOT, 'docs/HTTP.md'), 'utf8')).toBe(httpDocument(body));
  });

  it('name options that the programs have', async () => {
    const helps = new Map<string, Promise<string>>();
    const wrong: string[] = [];
    for (const { at, text } of [...ALL, ...documents().flatMap(mentionsOf)]) {
      for (const [, program, command, rest] of text.matchAll(
        /(?<!-n )\b(dms|dms-server) ([a-z]+(?:-[a-z]+)*)\b([^|;&]*)/g,
      )) {
        const key = `${program} ${command}`;
        const help = helps.get(key) ?? helpOf(program, command);
        helps.set(key, help);
        for (const [option] of rest.split(' -- ')[0].matchAll(/--[a-z][a-z-]*/g)) {
          if (!new RegExp(`${option}(?![a-z-])`).test(await help))
            wrong.push(`${at}: ${key} has no ${option}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

function isRun({ text }: DocumentedCommand): boolean {
  return !NOT_RUN.some(({ command }) => command.test(text));
}

function problemsOf({ at, text, shown }: DocumentedCommand, result: CommandResult): string[] {
  const { status, stdout, stderr } = result;
  const others = OTHER_STATUS.filter(({ command }) => command.test(text)).map((other) => other.status);
  const said = `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n');
  const [, complaint] = /\|\| echo '([^']+)'/.exec(text) ?? [];
  return [
    ...(complaint !== undefined && said.includes(complaint) ? [`${at}: said “${complaint}”`] : []),
    ...([0, ...others].includes(status) ? [] : [`${at}: ${text} ended with ${status}: ${said}`]),
    ...(shown === null || fits(stdout, shown) ? [] : [`${at}: ${text} does not show that, but: ${stdout}`]),
  ];
}

async function helpOf(program: string, command: string): Promise<string> {
  const file = program === 'dms' ? PROGRAMS.cli : PROGRAMS.server;
  return (await runCommand(process.execPath, [file, command, '--help'], { timeoutMs: HELP_TIMEOUT_MS }))
    .stdout;
}
