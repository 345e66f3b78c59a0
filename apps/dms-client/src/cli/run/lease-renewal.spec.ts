import { DmsError, parseTargetRequest } from '@app/contracts';
import { LeaseRenewal } from './lease-renewal';

const REQUEST = parseTargetRequest(
  { job: { jobid: 7 }, host: 'h', backup_target: { id: 't', type: 'nfs', filesystem_export: 'server:/a' } },
  'mount',
);

describe('the renewal of a lease', () => {
  let renewed: unknown[];
  let error: DmsError | null;
  let warnings: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    renewed = [];
    error = null;
    warnings = [];
  });
  afterEach(() => jest.useRealTimers());

  function begin(leaseS: number | null): LeaseRenewal {
    const api = {
      renew: (...call: unknown[]) => {
        renewed.push(call);
        return error === null ? Promise.resolve({} as never) : Promise.reject(error);
      },
    };
    return new LeaseRenewal(api, REQUEST, leaseS, (message) => warnings.push(message));
  }

  it('comes at every third of it, until it is stopped', async () => {
    const renewal = begin(60);
    await jest.advanceTimersByTimeAsync(59_000);
    expect(renewed).toEqual([
      [{ jobid: '7', backup_target_id: 't' }, 'h', 60],
      [{ jobid: '7', backup_target_id: 't' }, 'h', 60],
    ]);
    await renewal.stop();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(renewed).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does nothing without a lease', async () => {
    const renewal = begin(null);
    await jest.advanceTimersByTimeAsync(600_000);
    await renewal.stop();
    expect(renewed).toEqual([]);
  });

  it('warns once that it fails, and goes on trying', async () => {
    error = new DmsError('LEDGER_UNAVAILABLE', 'away');
    const renewal = begin(30);
    await jest.advanceTimersByTimeAsync(35_000);
    expect(renewed).toHaveLength(3);
    expect(warnings).toEqual(['the hold could not be renewed: LEDGER_UNAVAILABLE: away']);
    await renewal.stop();
  });
});
