import { LeaseWatch } from './lease-watch';
import { type LeasedBinding } from './leased-bindings.repository';

const GRACE_MS = 60_000;

describe('LeaseWatch', () => {
  let now = 0;
  let watch: LeaseWatch;
  const binding = (value: string, leaseS = 30): LeasedBinding => ({
    id: 1,
    key: { host: 'h', targetId: 't' },
    jobid: 7,
    leaseS,
    value,
  });
  /** Lets time pass with a beat every two seconds. */
  const serve = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 2_000) {
      now += 2_000;
      watch.beat();
    }
  };
  const isExpired = (of: LeasedBinding): boolean => watch.expired([of], GRACE_MS).length > 0;

  beforeEach(() => {
    now = 5_000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    watch = new LeaseWatch();
    watch.beat();
  });
  afterEach(() => void jest.restoreAllMocks());

  it('A lease expires after its seconds and the grace, if nothing renewed it', () => {
    expect(isExpired(binding('1'))).toBe(false);
    serve(88_000);
    expect(isExpired(binding('1'))).toBe(false);
    serve(2_000);
    expect(isExpired(binding('1'))).toBe(true);
  });

  it('A renewal begins the lease anew, whatever the clock of the database says', () => {
    isExpired(binding('1/2030-01-01'));
    serve(88_000);
    expect(isExpired(binding('2/1999-01-01'))).toBe(false);
    serve(88_000);
    expect(isExpired(binding('2/1999-01-01'))).toBe(false);
    serve(2_000);
    expect(isExpired(binding('2/1999-01-01'))).toBe(true);
  });

  it('A renewal for fewer seconds does not make a lease shorter', () => {
    isExpired(binding('1', 600));
    isExpired(binding('2', 1));
    serve(600_000);
    expect(isExpired(binding('2', 1))).toBe(false);
    serve(60_000);
    expect(isExpired(binding('2', 1))).toBe(true);
  });

  it('Leases stand still while there is no service, and the length of the pause is told once', () => {
    isExpired(binding('1'));
    serve(80_000);
    now += 3_600_000;
    expect(watch.beat()).toBe(3_600_000);
    expect(watch.beat()).toBe(0);
    expect(isExpired(binding('1'))).toBe(false);
    serve(10_000);
    expect(isExpired(binding('1'))).toBe(true);
  });

  it('A binding that was not seen for a whole round is forgotten', () => {
    isExpired(binding('1'));
    watch.endRound();
    watch.endRound();
    serve(90_000);
    expect(isExpired(binding('1'))).toBe(false);
  });
});
