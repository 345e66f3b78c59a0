import { type DataSource } from 'typeorm';
import { NodeLeaseRepository } from './node-lease.repository';

describe('the lease of a node', () => {
  /** @param refusals how often another process has it */
  const leases = (refusals: number): NodeLeaseRepository => {
    let left = refusals;
    const query = (): Promise<unknown> => Promise.resolve({ affectedRows: left-- > 0 ? 0 : 1 });
    return new NodeLeaseRepository({ query } as unknown as DataSource);
  };
  const work = (): Promise<string> => Promise.resolve('done');

  it('is got at once, or not at all', async () => {
    expect(await leases(0).run('h', work)).toBe('done');
    expect(await leases(1).run('h', work)).toBeNull();
  });

  it('is waited for by who asks', async () => {
    expect(await leases(2).run('h', work, 10_000)).toBe('done');
    expect(await leases(Infinity).run('h', work, 250)).toBeNull();
  });
});
