import { requireAccessSettings } from './access.settings';
import { OpenAuthenticator } from './open.authenticator';

describe('mode none', () => {
  const ask = (headers: Record<string, string>): void => new OpenAuthenticator().refuseStrangers({ headers });

  it.each<Record<string, string>>([
    { host: '127.0.0.1:8090' },
    { host: 'localhost' },
    { host: '[::1]:8090' },
    { host: '127.0.0.1:8090', origin: 'http://127.0.0.1:8090' },
    { host: '127.0.0.1:8090', origin: 'http://localhost:3000', 'sec-fetch-site': 'cross-site' },
    { host: '127.0.0.1:8090', 'sec-fetch-site': 'none' },
    { host: '127.0.0.1:8090', 'sec-fetch-site': 'same-origin' },
  ])('takes %p', async (headers) => {
    expect(() => ask(headers)).not.toThrow();
    expect(await new OpenAuthenticator().authenticate()).toMatchObject({ name: 'anyone', proven: false });
  });

  it.each<Record<string, string>>([
    {},
    { host: 'dms.example' },
    { host: '127.0.0.1.example' },
    { host: '127.0.0.1', origin: 'https://page.example' },
    { host: '127.0.0.1', origin: 'null' },
    { host: '127.0.0.1', 'sec-fetch-site': 'cross-site' },
    { host: '127.0.0.1', origin: 'https://page.example', 'sec-fetch-site': 'same-origin' },
  ])('refuses %p', (headers) => {
    expect(() => ask(headers)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }) as Error);
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
