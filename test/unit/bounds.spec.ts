import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLIENT_SETTINGS } from '../../apps/dms-client/src/settings/client.settings';
import { SERVER_SETTINGS } from '../../apps/dms-server/src/settings/server.settings';
import { ROOT } from '../fleet/programs';

const PAGE = 'docs/BOUNDS.md';
/** A field of a class that begins as an empty collection. */
const COLLECTION =
  /^ {2}(?:private )?(?:readonly )?(?!(?:const|let|return)\b)(#?\w+).* = (?:new (?:Map|Set|RecentMap|FairMap)[<(].*|\[\]);$/gm;
const LIMIT = /^(?:export )?const (MAX_\w+) = /gm;

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const SOURCES = ['apps', 'libs']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  )
  .filter((path) => /^\w+\/[\w-]+\/src\/.*\.ts$/.test(path))
  .filter((path) => !path.endsWith('.spec.ts') && !path.includes('/testing/'));
/** `file name` of all that an expression finds in the code. */
const found = (expression: RegExp): string[] =>
  SOURCES.flatMap((file) => [...read(file).matchAll(expression)].map(([, name]) => `${file} ${name}`));

/** The rows that name a file, each with what else stands in backquotes in its last cell. */
const ROWS = read(PAGE)
  .split('\n')
  .flatMap((line) => {
    const last = line.split(' | ').at(-1) ?? '';
    const [file, ...names] = [...last.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    return line.startsWith('| ') && /^(apps|libs)\//.test(file ?? '') ? [{ file, names }] : [];
  });
const FIELDS = ROWS.flatMap(({ file, names }) =>
  names.filter((name) => !name.includes(' = ')).map((name) => ({ file, name })),
);
const VALUES = ROWS.flatMap(({ file, names }) =>
  names.filter((name) => name.includes(' = ')).map((text) => ({ file, text, parts: text.split(' = ') })),
);

/** As the page writes it: a number with commas, a product as its result, a text as it is. */
function shown(text: string): string {
  const factors = text.split(' * ').map((factor) => Number(factor.replaceAll('_', '')));
  const product = factors.reduce((all, factor) => all * factor, 1);
  return Number.isNaN(product) ? text : product.toLocaleString('en-US');
}

/** What stands in the code for `NAME`, `NAME.field` or a setting; null: there is none. */
function valueOf(file: string, name: string): string | null {
  if (name.startsWith('DMS_')) {
    const settings = Object.values({ ...SERVER_SETTINGS, ...CLIENT_SETTINGS });
    const setting = settings.find(({ env }) => env === name);
    return setting !== undefined && 'default' in setting ? String(setting.default) : null;
  }
  const [constant, field] = name.split('.');
  const block = new RegExp(`^(?:export )?const ${constant}\\b.*? = ([^]*?);$`, 'm').exec(read(file))?.[1];
  if (block === undefined) return null;
  const value = field === undefined ? block : new RegExp(`^ +${field}: (.*),$`, 'm').exec(block)?.[1];
  return value === undefined ? null : shown(value);
}

describe(PAGE, () => {
  it('has each collection that a class keeps, once', () => {
    const named = FIELDS.map(({ file, name }) => `${file} ${name}`);
    const advice = `add a row, or the field to a row, with its bound and share, to ${PAGE}`;
    const missing = found(COLLECTION).filter((field) => !named.includes(field));
    expect(missing.map((field) => `${field}: ${advice}`)).toEqual([]);
    const twice = named.filter((field, index) => named.indexOf(field) !== index);
    expect(twice.map((field) => `${field}: remove all rows of ${PAGE} but one`)).toEqual([]);
    expect(found(COLLECTION).length).toBeGreaterThan(70);
  });

  it('has each MAX_… of the code', () => {
    const named = VALUES.map(({ file, parts: [name] }) => `${file} ${name}`);
    const missing = found(LIMIT).filter((limit) => !named.includes(limit));
    expect(missing.map((limit) => `${limit}: say in ${PAGE} what it bounds`)).toEqual([]);
  });

  it.each(FIELDS)('names a field that $file has: $name', ({ file, name }) => {
    const field = new RegExp(`^ {2}(?:private )?(?:readonly )?${name}\\b`, 'm');
    const hasIt = SOURCES.includes(file) && field.test(read(file));
    expect(hasIt ? '' : `${file} has no field ${name}: correct its row in ${PAGE}`).toBe('');
  });

  it.each(VALUES)('shows a number as it stands in $file: $text', ({ file, parts: [name, value] }) => {
    const stands = SOURCES.includes(file) ? valueOf(file, name) : null;
    const advice = stands === null ? `${file} has none` : `it is ${stands}`;
    expect(stands === value ? '' : `${name} = ${value} in ${PAGE}: ${advice}; correct the row`).toBe('');
  });
});
