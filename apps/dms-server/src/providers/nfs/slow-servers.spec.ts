import { Logger } from '@nestjs/common';
import { SlowServers } from './slow-servers';

describe('NFS servers that answer slowly', () => {
  it('are remembered in bounded number: of more, the one that was told first is forgotten', () => {
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const told = jest.spyOn(Logger.prototype, 'log').mockReturnValue(undefined);
    const servers = new SlowServers();
    for (let index = 0; index <= 1_000; index += 1) servers.noteSlow(`s${index}`, '/base/t', 'LIMIT');
    servers.noteTimely('s0');
    expect(told).not.toHaveBeenCalled();
    servers.noteTimely('s1');
    expect(told).toHaveBeenCalledTimes(1);
  });
});
