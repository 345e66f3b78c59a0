import { type ClientSettings } from '../settings/client.settings';
import { ANYONE, type Identity } from './identity';
import { RequestLimitsService } from './request-limits.service';
import { TokenBuckets } from './token-bucket';

describe('TokenBuckets', () => {
  let now: number;
  beforeEach(() => (now = 0));
  const buckets = (perSecond: number, burst: number): TokenBuckets =>
    new TokenBuckets(perSecond, burst, () => now);

  it('give a burst, then so many a second, and say when', () => {
    const of = buckets(2, 3);
    expect([1, 2, 3].map(() => of.take('a'))).toEqual([0, 0, 0]);
    expect(of.take('a')).toBe(0.5);
    now += 250;
    expect(of.take('a')).toBe(0.25);
    now += 250;
    expect(of.take('a')).toBe(0);
    now += 3_600_000;
    expect([1, 2, 3, 4].map(() => of.take('a') > 0)).toEqual([false, false, false, true]);
  });

  it('are one for each name', () => {
    const of = buckets(1, 1);
    expect([of.take('a'), of.take('b')]).toEqual([0, 0]);
    expect(of.take('a')).toBeGreaterThan(0);
  });

  it('give all where there is no limit', () => {
    const of = buckets(0, 0);
    for (let take = 0; take < 1_000; take += 1) expect(of.take('a')).toBe(0);
  });
});

describe('RequestLimitsService', () => {
  const CALLER: Identity = { ...ANYONE, name: 'caller', proven: true };
  const limits = (change: Partial<ClientSettings>): RequestLimitsService =>
    new RequestLimitsService({
      callerRate: 0,
      totalRate: 0,
      maxRequests: 100,
      maxCallerRequests: 100,
      ...change,
    } as ClientSettings);

  it('bounds what is under way, of one caller and in all', () => {
    const all = limits({ maxRequests: 2 });
    const end = all.begin();
    all.begin();
    expect(() => all.begin()).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }) as Error);
    end();
    all.begin();
    const one = limits({ maxCallerRequests: 1 });
    const endOne = one.beginOf(CALLER);
    expect(() => one.beginOf(CALLER)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }) as Error);
    one.beginOf({ ...CALLER, name: 'other' });
    endOne();
    one.beginOf(CALLER);
  });

  it('bounds how often', () => {
    const of = limits({ callerRate: 1 });
    of.beginOf(CALLER);
    of.beginOf(CALLER);
    const details = { retry_after_s: 1 };
    expect(() => of.beginOf(CALLER)).toThrow(
      expect.objectContaining({ code: 'RATE_LIMITED', details }) as Error,
    );
  });

  it('takes all for one where nobody is asked who calls', () => {
    const of = limits({ callerRate: 1, maxCallerRequests: 1 });
    for (let request = 0; request < 10; request += 1) of.beginOf(ANYONE);
  });
});
