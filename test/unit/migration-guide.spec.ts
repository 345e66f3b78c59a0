import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command } from 'commander';
import { CommandFactory } from 'nest-commander';
import { ERROR_CODES } from '@app/contracts';
import { CliModule } from '../../apps/dms-client/src/cli/cli.module';
import { CLI_SETTINGS } from '../../apps/dms-client/src/cli/cli.settings';
import { Commander } from '../../apps/dms-client/src/cli/commander.provider';
import { CLIENT_SETTINGS } from '../../apps/dms-client/src/settings/client.settings';
import { SERVER_SETTINGS } from '../../apps/dms-server/src/settings/server.settings';
import { ROOT } from '../fleet/programs';
import { PYTHON_TABLE } from '../fleet/python-ledger';

const GUIDE = readFileSync(join(ROOT, 'docs/MIGRATION.md'), 'utf8');
const SETTINGS: { env: string; file?: string }[] = [
  ...Object.values(CLIENT_SETTINGS),
  ...Object.values(SERVER_SETTINGS),
  ...Object.values(CLI_SETTINGS),
];
const SOURCES = ['apps', 'libs'].flatMap((root) => sourcesBelow(join(ROOT, root)));

/** Rows of all tables below a heading, each a list of cells. */
function rowsOf(heading: string): string[][] {
  const section = GUIDE.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0];
  if (section === undefined) throw new Error(`There is no section "${heading}"`);
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1).map((cell) => cell.replace(/^ | $/g, ''))); // prettier-ignore
}

function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
}

function sourcesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && /\.(ts|sh)$/.test(file.name) && !file.name.includes('.spec.'))
    .map((file) => readFileSync(join(file.parentPath, file.name), 'utf8'));
}

/** True if one file has all the words between the `…` of a line. */
function isWritten(line: string): boolean {
  const parts = line.split('…').filter((part) => part.trim().length > 2);
  return SOURCES.some((source) => parts.every((part) => source.includes(part.replace(/\s+$/, ''))));
}

describe('docs/MIGRATION.md', () => {
  it('shows the table that the tests take over', () => {
    expect(GUIDE).toContain(`\n\`\`\`sql\n${PYTHON_TABLE}\n\`\`\`\n`);
  });

  it('names options that the commands take', async () => {
    const application = await CommandFactory.createWithoutRunning(CliModule, { logger: false });
    const { commands } = application.get<unknown, { root: Command }>(Commander).root;
    const rows = rowsOf('Command line').filter(([, options]) => options.includes('--'));
    expect(rows).toHaveLength(6);
    for (const [name, options] of rows) {
      const command = commands.find((candidate) => candidate.name() === codeIn(name)[0]);
      const known = command?.options.map(({ long }) => long) ?? [];
      expect({ name, known }).toEqual({ name, known: expect.arrayContaining(codeIn(options)) as unknown });
    }
    await application.close();
  });

  it('names variables that are settings, or says why they are not needed', () => {
    const rows = rowsOf('Environment');
    expect(rows.length).toBeGreaterThan(25);
    const known = SETTINGS.map(({ env }) => env);
    for (const [variable, here] of rows) {
      const [name] = codeIn(variable);
      const needed = !here.startsWith('not needed: ');
      const isSetting = known.includes(name) || SOURCES.some((source) => source.includes(`${name}:`) || source.includes(`'${name}'`)); // prettier-ignore
      expect({ name, isSetting }).toEqual({ name, isSetting: needed });
      for (const other of codeIn(here).filter((code) => /^DMS_[A-Z0-9_]+$/.test(code)))
        expect(known).toContain(other);
    }
  });

  it('names keys of the configuration files', () => {
    const keys = rowsOf('Files')
      .filter(([file]) => file.includes('.conf'))
      .flatMap(([, here]) => codeIn(here).filter((code) => /^[a-z_]+$/.test(code)));
    expect(keys).toHaveLength(9);
    const known = SETTINGS.map(({ file }) => file);
    for (const key of keys) expect(known).toContain(key);
  });

  it('names codes of the table of errors', () => {
    const codes = rowsOf('Exceptions').flatMap(([, code, note]) => [...codeIn(code), ...codeIn(note)]);
    expect(codes.length).toBeGreaterThan(8);
    for (const code of codes) expect(Object.keys(ERROR_CODES)).toContain(code);
  });

  it.each(['Log lines', 'Texts of replies'])('has under "%s" what the programs write', (heading) => {
    const rows = rowsOf(heading);
    expect(rows.length).toBeGreaterThan(5);
    for (const [line, here = ''] of rows) {
      const [text] = codeIn(line);
      expect({ text, written: isWritten(text) }).toEqual({ text, written: !here.startsWith('gone: ') });
    }
  });

  it('names columns that there are', () => {
    const schema = readFileSync(join(ROOT, 'migrations/schema.sql'), 'utf8');
    const ledger = schema.split('CREATE TABLE `backup_target_mount_ledger`')[1].split(';')[0];
    for (const [column] of rowsOf('Tables')) expect(ledger).toContain(`\n  ${column} `);
    const operations = schema.split('CREATE TABLE `mount_operations`')[1].split(';')[0];
    const history = GUIDE.split('describes (')[1].split(')')[0];
    for (const column of codeIn(history)) expect(operations).toContain(`\n  \`${column}\` `);
  });

  it('names calls that the facade has', () => {
    const routes = SOURCES.filter((source) => source.includes('@Controller('))
      .flatMap((source) => {
        const base = /@Controller\('([^']*)'\)/.exec(source)?.[1] ?? '';
        return [...source.matchAll(/@(Get|Post|Delete)\((?:'([^']*)')?\)/g)].map(
          ([, method, path = '']) => `${method.toUpperCase()} /${base}${path === '' ? '' : '/'}${path}`,
        );
      })
      .map((route) => route.replace(/:(\w+)/g, '{$1}'));
    const named = rowsOf('Calls').flatMap(([, here]) => codeIn(here).filter((code) => / \/api\//.test(code)));
    expect(named.length).toBeGreaterThan(7);
    for (const call of named) expect(routes).toContain(call);
  });
});
