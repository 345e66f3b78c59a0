import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brokerProblems } from './broker.settings';
import { asBoolean, asInteger, asPort, asReadableFile, asSeconds, asSecret, asText } from './parsers';
import { readSettings, type SettingSources, SettingsError, unknownSettings } from './settings';

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

  const problemsOf = (work: () => unknown): readonly string[] => {
    try {
      work();
    } catch (error) {
      if (error instanceof SettingsError) return error.problems;
      throw error;
    }
    return [];
  };

  it('names with what is wrong what does not fit together, and a file that is not there', () => {
    const env = { X_LIMIT: '2', X_NAME: 'n', DMS_CONFIG_FILE: join(directory, 'missing.conf') };
    const problems = problemsOf(() =>
      readSettings(DEFINITIONS, { env, files: [env.DMS_CONFIG_FILE], section: 'x' }, (values) => {
        expect(values).toEqual({ limit: 2, name: 'n' });
        return ['X_NAME: does not fit'];
      }),
    );
    expect(problems).toEqual([
      'X_URL: is required',
      'X_NAME: does not fit',
      'DMS_CONFIG_FILE: there is no such file',
    ]);
    expect(read({ env: { ...env, X_URL: 'u' } })).toMatchObject({ url: 'u' });
  });

  it('tells what stands in a file and means nothing', () => {
    writeFileSync(first, '[x]\nlimti = 5\nname = n\n[y]\nother = 1\n');
    writeFileSync(second, '[y]\nname = second\n');
    const files = [first, second, join(directory, 'missing.conf'), '/dev/null'];
    expect(unknownSettings([DEFINITIONS], { files, section: 'x' })).toEqual([
      `${first}: "limti" is no known setting`,
      `${second}: has no section [x]`,
    ]);
  });

  it('does not pass over a file that cannot be read', () => {
    expect(problemsOf(() => read({ env: { X_URL: 'u' }, files: [directory] }))).toEqual([
      `${directory}: cannot be read (EISDIR)`,
    ]);
  });
});

describe('settings', () => {
  it.each<[string, (text: string) => unknown, string[], string[]]>([
    ['seconds', asSeconds(0.1, 300), ['0.1', '300', '2.5'], ['0', '300.1', '-1', '1e2', 'x', '']],
    ['a whole number', asInteger(0, 10), ['0', '10'], ['-1', '11', '1.5', '0x1', '']],
    ['a port', asPort, ['0', '65535'], ['65536', '-1', 'http']],
    ['true or false', asBoolean, ['true', 'No', 'ON', '0'], ['maybe', '2', '']],
    ['a file', asReadableFile, ['/dev/null'], ['/none']],
  ])('that are %s have bounds', (_, parse, good, bad) => {
    for (const text of good) expect(() => parse(text)).not.toThrow();
    for (const text of bad) expect(() => parse(text)).toThrow(/^must be/);
  });

  it('of a client certificate come in pairs', () => {
    const none = { certificateFile: null, keyFile: null };
    expect(brokerProblems(none)).toEqual([]);
    expect(brokerProblems({ certificateFile: '/c', keyFile: '/k' })).toEqual([]);
    expect(brokerProblems({ ...none, certificateFile: '/c' })).toEqual([
      'DMS_RABBITMQ_KEY_FILE: is required with DMS_RABBITMQ_CERT_FILE',
    ]);
    expect(brokerProblems({ ...none, keyFile: '/k' })).toEqual([
      'DMS_RABBITMQ_CERT_FILE: is required with DMS_RABBITMQ_KEY_FILE',
    ]);
  });
});
