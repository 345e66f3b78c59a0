import { DmsError, type Secret } from '@app/contracts';
import { type Credentials } from './authenticator.interface';
import { type Identity } from './identity';
import { KeystoneAuthenticator } from './keystone.authenticator';

const CACHE_MS = 30_000;

function withToken(token: string | undefined, ip = '10.0.0.1'): Credentials {
  return { headers: { 'x-auth-token': token }, ip };
}

describe('KeystoneAuthenticator', () => {
  let asked: string[];
  let answer: (token: string) => Promise<Identity | null>;
  let authenticator: KeystoneAuthenticator;

  const owner = (lifetimeMs = 3_600_000): Identity => ({
    name: 'owner',
    userId: 'u',
    projectId: 'one',
    roles: ['member'],
    proven: true,
    expiresAt: Date.now() + lifetimeMs,
  });

  beforeEach(() => {
    jest.useFakeTimers();
    asked = [];
    answer = () => Promise.resolve(owner());
    const keystone = {
      identify: (token: Secret) => {
        asked.push(token.reveal());
        return answer(token.reveal());
      },
    };
    authenticator = new KeystoneAuthenticator(keystone, CACHE_MS, 'http://user:secret@keystone:5000/v3');
  });
  afterEach(() => jest.useRealTimers());

  it('says where a token is had, and no password', () => {
    expect(authenticator.challenge).toBe('Keystone uri="http://keystone:5000/v3"');
  });

  it('asks Keystone once for requests that come together, and again after its time', async () => {
    await Promise.all([1, 2, 3].map(() => authenticator.authenticate(withToken('t'))));
    jest.advanceTimersByTime(CACHE_MS / 2 - 1);
    await authenticator.authenticate(withToken('t'));
    expect(asked).toEqual(['t']);
    jest.advanceTimersByTime(CACHE_MS);
    await Promise.all([1, 2, 3].map(() => authenticator.authenticate(withToken('t'))));
    expect(asked).toEqual(['t', 't']);
  });

  it('renews its word on a token that is used beside the request, so that none has to wait for it', async () => {
    await authenticator.authenticate(withToken('t'));
    jest.advanceTimersByTime(CACHE_MS - 1);
    answer = () => new Promise(() => undefined);
    expect(await authenticator.authenticate(withToken('t'))).toMatchObject({ name: 'owner' });
    expect(asked).toEqual(['t', 't']);
  });

  it('lets a revoked token in no longer than its word counts, also where the check beside a request failed', async () => {
    await authenticator.authenticate(withToken('t'));
    jest.advanceTimersByTime(CACHE_MS - 1);
    answer = () => Promise.reject(new DmsError('AUTH_UNAVAILABLE', 'away'));
    await authenticator.authenticate(withToken('t'));
    jest.advanceTimersByTime(1);
    await expect(authenticator.authenticate(withToken('t'))).rejects.toMatchObject({
      code: 'AUTH_UNAVAILABLE',
    });
    answer = () => Promise.resolve(null);
    await expect(authenticator.authenticate(withToken('t'))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('checks a token that was valid, whatever number of unknown ones is being checked', async () => {
    await authenticator.authenticate(withToken('known'));
    jest.advanceTimersByTime(CACHE_MS);
    answer = () => new Promise(() => undefined);
    const codes: string[] = [];
    for (let guess = 0; guess < 100; guess += 1) {
      const from = `10.0.${guess % 4}.1`;
      authenticator
        .authenticate(withToken(`guess-${guess}`, from))
        .catch(({ code }: DmsError) => codes.push(code));
    }
    await Promise.resolve();
    answer = () => Promise.resolve(owner());
    expect(await authenticator.authenticate(withToken('known'))).toMatchObject({ name: 'owner' });
    await expect(authenticator.authenticate(withToken('new', '10.0.9.1'))).rejects.toMatchObject({
      code: 'RATE_LIMITED',
    });
    expect(codes).toHaveLength(36);
    expect(asked).toHaveLength(1 + 64 + 1);
  });

  it('lets no address have all checks of unknown tokens', async () => {
    answer = () => new Promise(() => undefined);
    for (let guess = 0; guess < 100; guess += 1) {
      authenticator.authenticate(withToken(`guess-${guess}`)).catch(() => undefined);
    }
    answer = () => Promise.resolve(owner());
    expect(await authenticator.authenticate(withToken('new', '10.0.9.1'))).toMatchObject({ name: 'owner' });
  });

  it('never believes in a token beyond its end', async () => {
    answer = () => Promise.resolve(owner(1_000));
    await authenticator.authenticate(withToken('t'));
    answer = () => Promise.resolve(null);
    jest.advanceTimersByTime(1_000);
    await expect(authenticator.authenticate(withToken('t'))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('refuses a token that has ended also where Keystone lets it pass', async () => {
    answer = () => Promise.resolve(owner(-1));
    await expect(authenticator.authenticate(withToken('t'))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('remembers for a short time that a token is not known', async () => {
    answer = () => Promise.resolve(null);
    for (let time = 0; time < 3; time += 1) {
      await expect(authenticator.authenticate(withToken('t'))).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
      });
    }
    expect(asked).toHaveLength(1);
    jest.advanceTimersByTime(5_000);
    answer = () => Promise.resolve(owner());
    expect(await authenticator.authenticate(withToken('t'))).toMatchObject({ name: 'owner' });
  });

  it('lets nobody in whom Keystone does not vouch for, and asks again at the next request', async () => {
    answer = () => Promise.reject(new DmsError('AUTH_UNAVAILABLE', 'away'));
    await expect(authenticator.authenticate(withToken('t'))).rejects.toMatchObject({
      code: 'AUTH_UNAVAILABLE',
    });
    answer = () => Promise.resolve(owner());
    expect(await authenticator.authenticate(withToken('t'))).toMatchObject({ name: 'owner' });
  });

  it.each([undefined, ''])('asks nobody about no token', async (token) => {
    await expect(authenticator.authenticate(withToken(token))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    expect(asked).toEqual([]);
  });

  it('bounds the guesses of one address, not those it knows already', async () => {
    await authenticator.authenticate(withToken('known'));
    answer = () => Promise.resolve(null);
    const codes = new Map<string, number>();
    for (let guess = 0; guess < 200; guess += 1) {
      await authenticator.authenticate(withToken(`guess-${guess}`)).catch(({ code }: DmsError) => {
        codes.set(code, (codes.get(code) ?? 0) + 1);
      });
    }
    expect(codes.get('UNAUTHENTICATED')).toBe(99);
    expect(codes.get('RATE_LIMITED')).toBe(101);
    expect(await authenticator.authenticate(withToken('known'))).toMatchObject({ name: 'owner' });
    const elsewhere = authenticator.authenticate(withToken('guess', '10.0.0.2'));
    await expect(elsewhere).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
