import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asInteger, asSecret, asText } from './parsers';
import { readSettings, type SettingSources, SettingsError } from './settings';

const DEFINITIONS = {
  url: { env: 'X_URL', file: 'url', help: '', parse: asSecret, secret: true },
  limit: { env: 'X_LIMIT', file: 'limit', help: '', default: '5', parse: asInteger(1, 9) },
  name: { env: 'X_NAME', file: 'name', help: '', default: null, parse: asText },
};

describe('readSettings', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dms-settings-'));
  const [first, second] = ['first.conf', 'second.conf'].map((name) => join(directory, name));

  afterAll(() => rmSync(directory, { recursive: true }));

  const read = (sources: Partial<SettingSources>): Record<string, unknown> => {
    const { url, ...others } = readSettings(DEFINITIONS, { env: {}, files: [], section: 'x', ...sources });
    return { url: url.reveal(), ...others };
  };

  it('takes the flag before the environment, that before the later file, that before the earlier, that before the default', () => {
    writeFileSync(first, '[x]\nurl = a\nlimit = 1\nname = first\n[y]\nname = other\n');
    writeFileSync(second, '[x]\nname = second\n');
    const files = [first, join(directory, 'missing.conf'), second];
    expect(read({ env: { X_URL: 'u' } })).toEqual({ url: 'u', limit: 5, name: null });
    expect(read({ files: [first] })).toEqual({ url: 'a', limit: 1, name: 'first' });
    expect(read({ files })).toEqual({ url: 'a', limit: 1, name: 'second' });
    expect(read({ files, env: { X_LIMIT: '2', X_NAME: '' } })).toEqual({
      url: 'a',
      limit: 2,
      name: 'second',
    });
    expect(read({ files, env: { X_LIMIT: '2' }, flags: { limit: '3' } })).toMatchObject({ limit: 3 });
  });

  it('names all that is wrong or missing at once, and none of the values', () => {
    const wrong = (): unknown => read({ env: { X_LIMIT: 'hunter2' } });
    expect(wrong).toThrow(SettingsError);
    expect(wrong).toThrow(
      /2 error\(s\)[^]*X_URL: is required[^]*X_LIMIT: must be a whole number from 1 to 9/,
    );
    expect(wrong).not.toThrow(/hunter2/);
  });

  it.each([
    ['amqp://u:p#w;x@host:5672', 'amqp://u:p#w;x@host:5672'],
    ['mysql://u:p@host/db?a=b', 'mysql://u:p@host/db?a=b'],
    ['value ; a comment', 'value'],
    ['value # a comment', 'value'],
    ['"quoted ; # text"', 'quoted ; # text'],
    [String.raw`one\;two`, 'one;two'],
  ])('reads %j from a file', (text, value) => {
    writeFileSync(first, `; a comment\n# another\n[x]\nurl = ${text}\n`);
    expect(read({ files: [first] }).url).toBe(value);
  });
});
