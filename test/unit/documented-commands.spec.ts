import { join } from 'node:path';
import { commandsOf, documents, fits } from '../docs/document-blocks';
import { NOT_RUN, OTHER_STATUS } from '../docs/not-run';
import { filesWith } from '../fleet/files-with';
import { ROOT } from '../fleet/programs';

const ALL = documents().flatMap(commandsOf);

describe('the commands of the documents', () => {
  it('are found', () => expect(ALL.length).toBeGreaterThan(150));

  it('are whole where they go on in the next line, by a backslash or in quotes', () => {
    const mount = ALL.find(({ text }) => text.startsWith('dms mount '));
    expect(mount?.text).toMatch(/\\\n.*--token-file token$/);
    const post = ALL.find(({ text }) => text.includes('/api/v1/mount"'));
    expect(post?.text).toMatch(/}'$/);
  });

  it.each([
    ['{"status":"ok","at":1}', '{"status":"ok",…}', true],
    ['{"status":"error"}', '{"status":"ok"…}', false],
    ['one line\n', 'one line\n', true],
    ['one line and more', 'one line', false],
  ])('%j shows %j: %s', (output, shown, expected) => {
    expect(fits(output, shown)).toBe(expected);
  });
});

describe('the tables of exceptions', () => {
  it.each([...NOT_RUN, ...OTHER_STATUS])('have a use for $command', ({ command }) => {
    expect(ALL.filter(({ text }) => command.test(text))).not.toEqual([]);
  });
});

describe('what is looked for in logs', () => {
  const searches = ALL.flatMap(({ at, text }) => {
    const found = /journalctl -u (dms-\w+) .*grep "([A-Za-z][^"$]+)"/.exec(text);
    return found === null ? [] : [{ at, program: found[1], words: found[2] }];
  });

  it.each(searches)('$at: $program can say "$words"', async ({ program, words }) => {
    expect(await filesWith(words, join(ROOT, 'apps', program, 'src'))).not.toEqual([]);
  });
});
