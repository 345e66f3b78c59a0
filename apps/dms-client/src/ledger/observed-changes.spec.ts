import { ObservedChanges } from './observed-changes';

describe('ObservedChanges', () => {
  let now = 0;
  let observed: ObservedChanges;

  beforeEach(() => {
    now = 1_000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    observed = new ObservedChanges();
  });
  afterEach(() => void jest.restoreAllMocks());

  it('A value counts as stale only after this process has seen it unchanged for the whole duration', () => {
    expect(observed.isStale('lock', 'a/1', 10_000)).toBe(false);
    now += 9_999;
    expect(observed.isStale('lock', 'a/1', 10_000)).toBe(false);
    now += 1;
    expect(observed.isStale('lock', 'a/1', 10_000)).toBe(true);
  });

  it('A renewal that nobody looked at in between starts the duration anew', () => {
    observed.unchangedMs('lock', 'a/1');
    now += 60_000;
    expect(observed.unchangedMs('lock', 'a/2')).toBe(0);
    now += 5;
    expect(observed.unchangedMs('lock', 'a/2')).toBe(5);
  });

  it('Rows are observed one by one', () => {
    observed.unchangedMs('one', '1');
    now += 10;
    expect(observed.unchangedMs('other', '1')).toBe(0);
    expect(observed.unchangedMs('one', '1')).toBe(10);
  });

  it('At most 20,000 rows are observed, and the one that was asked for last stays', () => {
    observed.unchangedMs('kept', '1');
    observed.unchangedMs('forgotten', '1');
    for (let n = 0; n < 20_000; n += 1) {
      if (n === 10_000) observed.unchangedMs('kept', '1');
      observed.unchangedMs(`row ${n}`, '1');
    }
    now += 10;
    expect(observed.unchangedMs('kept', '1')).toBe(10);
    expect(observed.unchangedMs('forgotten', '1')).toBe(0);
  });
});
