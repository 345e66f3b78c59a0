import { DaemonIdentities } from './daemon-identities';
import { type ProcessStat, readSame, servesMount } from './process-identity';

jest.mock('./process-identity');

describe('the daemons whose command was compared', () => {
  it('are remembered in bounded number, however many daemons end unseen', async () => {
    jest.mocked(readSame).mockResolvedValue({} as ProcessStat);
    const compare = jest.mocked(servesMount).mockResolvedValue(true);
    const daemons = new DaemonIdentities();
    const look = (pid: number): Promise<ProcessStat | null> =>
      daemons.living({ pid, startTime: 1, bootId: 'b' }, '/base/t');
    for (let pid = 0; pid <= 10_000; pid += 1) await look(pid);
    await look(10_000);
    expect(compare).toHaveBeenCalledTimes(10_001);
    await look(0);
    expect(compare).toHaveBeenCalledTimes(10_002);
  });
});
