import { CallerShares } from './caller-shares';

describe('the share of a caller', () => {
  it('refuses what is beyond it as BUSY, at once, and leaves room for others', async () => {
    const shares = new CallerShares(2);
    let end: (value: string) => void = () => undefined;
    const slow = new Promise<string>((resolve) => (end = resolve));
    const underWay = [shares.run('one', () => slow), shares.run('one', () => slow)];
    await expect(shares.run('one', () => slow)).rejects.toMatchObject({ code: 'BUSY' });
    expect(await shares.run('two', () => Promise.resolve('done'))).toBe('done');
    end('late');
    expect(await Promise.all(underWay)).toEqual(['late', 'late']);
  });

  it('is free again when a command has ended, also with an error', async () => {
    const shares = new CallerShares(1);
    await expect(shares.run('one', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await shares.run('one', () => Promise.resolve(1))).toBe(1);
  });
});
