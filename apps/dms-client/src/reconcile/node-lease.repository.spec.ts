import { type DataSource } from 'typeorm';
import { ObservedChanges } from '../ledger/observed-changes';
import { NodeLeaseRepository } from './node-lease.repository';

describe('NodeLeaseRepository', () => {
  /** @param taken what the row says of another process's lease, look by look and then as the last of them */
  const leases = (...taken: (string | null)[]): NodeLeaseRepository => {
    const query = (sql: string): Promise<unknown> => {
      if (!sql.startsWith('SELECT')) return Promise.resolve({ affectedRows: 1 });
      return Promise.resolve([{ value: taken.length > 1 ? taken.shift() : taken[0] }]);
    };
    return new NodeLeaseRepository({ query } as unknown as DataSource, new ObservedChanges());
  };
  const work = (): Promise<string> => Promise.resolve('done');

  it('A free node is compared at once, and one that another process compares is not', async () => {
    expect(await leases(null).run('h', work)).toBe('done');
    expect(await leases('other/1').run('h', work)).toBeNull();
  });

  it('Whoever has patience waits until another process is done', async () => {
    expect(await leases('other/1', 'other/2', null).run('h', work, 10_000)).toBe('done');
    expect(await leases('other/1').run('h', work, 250)).toBeNull();
  });

  it('A process takes a node over that it has seen unrenewed for five seconds, by its own clock', async () => {
    let now = 1_000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    const repository = leases('other/1', 'other/2', 'other/2');
    expect(await repository.run('h', work)).toBeNull();
    now += 60_000;
    expect(await repository.run('h', work)).toBeNull();
    now += 5_000;
    expect(await repository.run('h', work)).toBe('done');
    jest.restoreAllMocks();
  });
});
