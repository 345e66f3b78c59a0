import { requireAccessSettings } from './access.settings';
import { type Credentials } from './authenticator.interface';
import { OpenAuthenticator } from './open.authenticator';

describe('mode none', () => {
  const authenticate = (headers: Record<string, string>): Promise<unknown> =>
    new OpenAuthenticator().authenticate({ headers } as unknown as Credentials);

  it.each<Record<string, string>>([
    { host: '127.0.0.1:8090' },
    { host: 'localhost' },
    { host: '[::1]:8090' },
    { host: '127.0.0.1:8090', origin: 'http://127.0.0.1:8090' },
  ])('takes %p', async (headers) => {
    expect(await authenticate(headers)).toMatchObject({ name: 'anyone', proven: false });
  });

  it.each<Record<string, string>>([
    {},
    { host: 'dms.example' },
    { host: '127.0.0.1.example' },
    { host: '127.0.0.1', origin: 'https://page.example' },
    { host: '127.0.0.1', origin: 'null' },
  ])('refuses %p', async (headers) => {
    await expect(authenticate(headers)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  const settings = { authMode: 'none', authUrl: null, tokenFile: null, corsOrigins: null } as const;

  it.each(['127.0.0.1', '127.8.9.10', '::1', 'localhost'])('starts on %s', (httpHost) => {
    expect(() => requireAccessSettings({ ...settings, httpHost })).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'dms.example', '127.0.0.1.example'])(
    'does not start on %s',
    (httpHost) => {
      expect(() => requireAccessSettings({ ...settings, httpHost })).toThrow('DMS_HTTP_HOST');
      expect(() =>
        requireAccessSettings({ ...settings, authMode: 'token', tokenFile: '/t', httpHost }),
      ).not.toThrow();
    },
  );
});
