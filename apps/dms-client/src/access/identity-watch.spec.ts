import { DmsError } from '@app/contracts';
import { type Credentials } from './authenticator.interface';
import { ANYONE, type Identity } from './identity';
import { IdentityWatch } from './identity-watch.service';

const MEMBER: Identity = { ...ANYONE, projectId: 'one', roles: ['member'], proven: true };

describe('IdentityWatch', () => {
  let answer: () => Promise<Identity>;
  let ends: number;

  const watch = (identity: Identity): (() => void) => {
    const authenticator = { challenge: null, authenticate: () => answer() };
    return new IdentityWatch(authenticator).watch({} as Credentials, identity, () => (ends += 1));
  };

  beforeEach(() => {
    jest.useFakeTimers();
    ends = 0;
    answer = () => Promise.resolve(MEMBER);
  });
  afterEach(() => jest.useRealTimers());

  it('lasts while the credentials are good', async () => {
    const end = watch(MEMBER);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(ends).toBe(0);
    end();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('ends with the credentials, though Keystone cannot be asked', async () => {
    answer = () => Promise.reject(new DmsError('AUTH_UNAVAILABLE', 'away'));
    watch({ ...MEMBER, expiresAt: Date.now() + 60_500 });
    await jest.advanceTimersByTimeAsync(60_400);
    expect(ends).toBe(0);
    await jest.advanceTimersByTimeAsync(100);
    expect(ends).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([
    ['were revoked', () => Promise.reject(new DmsError('UNAUTHENTICATED', 'revoked'))],
    ['are for another project', () => Promise.resolve({ ...MEMBER, projectId: 'two' })],
    ['have other rights', () => Promise.resolve({ ...MEMBER, roles: ['admin'] })],
  ])('ends when the credentials %s', async (_, now) => {
    watch(MEMBER);
    answer = now;
    await jest.advanceTimersByTimeAsync(5_000);
    expect(ends).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });
});
