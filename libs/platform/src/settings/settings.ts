import { existsSync } from 'node:fs';
import { type ConfigurationFiles, readFiles, unknownInFiles } from './configuration-files';

/** One setting: where it may stand, what it means, and how its text becomes a value. */
export interface SettingDefinition<T> {
  /** Name of the environment variable. */
  readonly env: string;
  /** Key in the configuration file; absent where the setting is for the environment only. */
  readonly file?: string;
  /** One sentence for the documentation. */
  readonly help: string;
  /** The text that stands where nobody sets it; absent: the setting is required; null: it has no value then. */
  readonly default?: string | null;
  /** @throws Error whose message says what would be right and does not repeat the text */
  readonly parse: (text: string) => T;
  /** The value is never printed. */
  readonly secret?: boolean;
}

export type SettingDefinitions = Record<string, SettingDefinition<unknown>>;

/** The typed values of a table of definitions. */
export type SettingValues<D extends SettingDefinitions> = {
  readonly [K in keyof D]: D[K] extends { default: null }
    ? ReturnType<D[K]['parse']> | null
    : ReturnType<D[K]['parse']>;
};

export interface SettingSources extends ConfigurationFiles {
  /** By setting name; they win over all else. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** All settings that are missing or wrong, each by name and without its value. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} error(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
    this.name = 'SettingsError';
  }
}

/**
 * Reads settings in this order: flag, environment, file, default. An empty text counts as not set.
 *
 * @param together says which of the settings do not fit together; it is given those that could be read
 * @throws SettingsError that names every bad setting at once
 */
export function readSettings<D extends SettingDefinitions>(
  definitions: D,
  sources: SettingSources,
  together: (values: Partial<SettingValues<D>>) => readonly string[] = () => [],
): SettingValues<D> {
  const problems: string[] = [];
  const file = readFiles(sources, problems);
  const values: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(definitions)) {
    const text = [
      sources.flags?.[name],
      sources.env[definition.env],
      definition.file === undefined ? undefined : file[definition.file],
      definition.default ?? undefined,
    ].find((candidate) => candidate !== undefined && candidate !== '');
    try {
      values[name] = text === undefined ? absent(definition) : definition.parse(text);
    } catch (error) {
      problems.push(`${definition.env}: ${error instanceof Error ? error.message : 'is wrong'}`);
    }
  }
  problems.push(...together(values as Partial<SettingValues<D>>));
  if (problems.length > 0) throw new SettingsError([...problems, ...missingFile(sources)]);
  return values as SettingValues<D>;
}

/** What stands in the files and is in none of the tables; for a warning. */
export function unknownSettings(tables: readonly SettingDefinitions[], files: ConfigurationFiles): string[] {
  const known = tables.flatMap((table) => Object.values(table).flatMap(({ file }) => file ?? []));
  return unknownInFiles(files, known);
}

/** What is missing may stand in a file that was named wrongly. By itself such a file may be left out. */
function missingFile({ env }: SettingSources): string[] {
  const path = env.DMS_CONFIG_FILE;
  return path === undefined || path === '' || existsSync(path)
    ? []
    : ['DMS_CONFIG_FILE: there is no such file'];
}

function absent(definition: SettingDefinition<unknown>): null {
  if (definition.default === null) return null;
  throw new Error('is required');
}
