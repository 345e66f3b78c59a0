import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { StaticTokenAuthenticator } from './static-token.authenticator';
import { TokenFileAdapter } from './token-file.adapter';
import { parseTokens } from './token-file.parser';

Logger.overrideLogger(false);

const TOKEN = 'a-token-of-28-characters-000';

describe('lines of the file of tokens', () => {
  it('are a token, a name, a role, and for some a project', () => {
    const tokens = parseTokens(`# comment\n\n${TOKEN} root admin\n  ${TOKEN}1\tjob member one  \n`);
    expect(tokens.map(({ identity }) => identity)).toMatchObject([
      { name: 'token root', roles: ['admin'], projectId: null, proven: true },
      { name: 'token job', roles: ['member'], projectId: 'one' },
    ]);
  });

  it.each([
    ['nothing', '\n# nothing\n', 'no token'],
    ['no role', `${TOKEN} name`, 'line 1: must be'],
    ['too much', `${TOKEN} name admin one two`, 'line 1: must be'],
    ['an unknown role', `\n${TOKEN} name root`, 'line 2: the role must be'],
    ['a member of no project', `${TOKEN} name member`, 'line 1: the role member needs'],
    ['a short token', 'short name admin', 'line 1: the token must have'],
    ['a token twice', `${TOKEN} a admin\n${TOKEN} b admin`, 'line 2: the token stands'],
  ])('with %s are refused, and not repeated', (_, text, problem) => {
    expect(() => parseTokens(text)).toThrow(problem);
    expect(() => parseTokens(text)).not.toThrow(TOKEN);
  });
});

describe('StaticTokenAuthenticator', () => {
  let directory: string;
  let path: string;
  let authenticator: StaticTokenAuthenticator;

  const as = (authorization: string | undefined): ReturnType<StaticTokenAuthenticator['authenticate']> =>
    authenticator.authenticate({ headers: { authorization } });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dms-tokens-'));
    path = join(directory, 'tokens');
    await writeFile(path, `${TOKEN} root admin\n`, { mode: 0o600 });
    authenticator = new StaticTokenAuthenticator(new TokenFileAdapter(path));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('knows the tokens of the file', async () => {
    await authenticator.onModuleInit();
    expect(await as(`Bearer ${TOKEN}`)).toMatchObject({ name: 'token root' });
    expect(await as(`bearer ${TOKEN}`)).toMatchObject({ name: 'token root' });
  });

  it.each([undefined, '', TOKEN, `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, `Bearer ${TOKEN} x`])(
    'refuses %p',
    async (authorization) => {
      await expect(as(authorization)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    },
  );

  it.each([0o604, 0o644, 0o620, 0o777])('does not begin with a file of mode %o', async (mode) => {
    await chmod(path, mode);
    await expect(authenticator.onModuleInit()).rejects.toMatchObject({ name: 'SettingsError' });
    await expect(as(`Bearer ${TOKEN}`)).rejects.toMatchObject({ code: 'AUTH_UNAVAILABLE' });
  });

  it('does not begin with a directory, or with nothing', async () => {
    const other = new StaticTokenAuthenticator(new TokenFileAdapter(directory));
    await expect(other.onModuleInit()).rejects.toThrow('DMS_TOKEN_FILE');
    await rm(path);
    await expect(authenticator.onModuleInit()).rejects.toThrow('ENOENT');
  });
});
